// The console while the tty driver is not there yet: output only. create_procfs() likewise.
#include <kernel/arch/x86_64/serial.hpp>
#include <kernel/base/make.hpp>
#include <kernel/vfs/device.hpp>
#include <kernel/vfs/file.hpp>
#include <kernel/vfs/procfs/procfs.hpp>
#include <kernel/vfs/file_system.hpp>
namespace skep::kernel {
class EarlyFile final : public File {
  public:
    explicit EarlyFile(std::uint32_t flags) : File(FileKind::Device, flags) {}
    Result<std::size_t> read(Uio&, std::uint64_t*) override { return 0; }
    Result<std::size_t> write(Uio& uio, std::uint64_t*) override {
        char b[128];
        std::size_t n = 0;
        while (uio.remaining()) {
            std::size_t k = SKEP_TRY(uio.take(b, sizeof b));
            serial_write({b, k});
            n += k;
        }
        return n;
    }
};
class EarlyConsole final : public Device {
    Result<Ref<File>> open(std::uint32_t flags) override { return Ref<File>(SKEP_TRY(make_ref<EarlyFile>(flags))); }
};
void early_console() { (void)register_device({.name = "console"}, *make_ref<EarlyConsole>()); }
Result<Ref<FileSystem>> create_procfs() { return fail(Errno::NoDev); }
}
