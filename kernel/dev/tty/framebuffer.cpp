#include <kernel/dev/tty/framebuffer.hpp>

#include <kernel/dev/tty/cell_painter.hpp>

#include <optional>
#include <utility>

namespace skep::kernel {

namespace {

class Framebuffer final : public Display {
  public:
    Framebuffer(const FramebufferMode& mode, volatile std::uint8_t* pixels,
                TextScreen::Picture picture)
        : painter_(mode, pixels), picture_(picture) {}

    void draw(std::size_t position) override {
        painter_.paint(position, picture_[position], position == cursor_);
    }
    void move_cursor(std::size_t position) override {
        if (position == cursor_)
            return;
        draw(std::exchange(cursor_, position));
        draw(cursor_);
    }

  private:
    CellPainter painter_;
    TextScreen::Picture picture_;
    std::size_t cursor_ = 0;
};

std::optional<Framebuffer> the_one;

}  // namespace

Display* open_framebuffer(const FramebufferMode& mode, TextScreen::Picture picture) {
    if (!CellPainter::can(mode))
        return nullptr;
    const std::size_t size = std::size_t{mode.pitch} * mode.height;
    const auto pixels = map_write_combining(mode.address, size);
    if (!pixels)
        return nullptr;
    auto* bytes = static_cast<volatile std::uint8_t*>(*pixels);
    for (std::size_t i = 0; i < size; i++)
        bytes[i] = 0;  // the firmware's picture
    return &the_one.emplace(mode, bytes, picture);
}

}  // namespace skep::kernel
