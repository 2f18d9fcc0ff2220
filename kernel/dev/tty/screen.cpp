#include <kernel/dev/tty/screen.hpp>

#include <kernel/dev/tty/framebuffer.hpp>
#include <kernel/dev/tty/vga_text.hpp>
#include <kernel/sync/spinlock.hpp>

namespace skep::kernel {

namespace {

SpinLock screen_lock{"screen"};
// Video memory is slow, to read above all: the picture is made here, and only what changed goes
// there.
TextScreen::Cell picture[TextScreen::kCells], shown[TextScreen::kCells];
constinit TextScreen screen{TextScreen::Picture(picture)};
Display* display = nullptr;

void show() {
    for (std::size_t i = 0; i < TextScreen::kCells; i++)
        if (picture[i] != shown[i]) {
            shown[i] = picture[i];
            display->draw(i);
        }
    display->move_cursor(screen.cursor());
}

}  // namespace

bool init_screen(const std::optional<FramebufferMode>& mode) {
    SpinGuard guard(screen_lock);
    display = mode ? open_framebuffer(*mode, TextScreen::Picture(picture))
                   : open_vga_text(TextScreen::Picture(picture));
    if (!display)
        return false;
    screen.clear();
    show();
    return true;
}

void screen_write(std::span<const std::uint8_t> bytes) {
    if (!display)
        return;
    SpinGuard guard(screen_lock);
    for (const std::uint8_t byte : bytes)
        screen.put(byte);
    show();
}

}  // namespace skep::kernel
