// Shared anonymous memory: pages of zeros until written, kept while anyone maps it.
#pragma once

#include <kernel/mm/vm_object.hpp>
#include <kernel/sync/wait.hpp>
#include <kernel/vfs/page_tree.hpp>

namespace skep::kernel {

class AnonymousObject final : public VmObject {
  public:
    static Result<Ref<VmObject>> create(std::uint64_t size);
    ~AnonymousObject() override;
    Result<ObjectPage> page(std::uint64_t index, bool write) override;

  private:
    template <typename T, typename... A>
    friend Result<Ref<T>> make_ref(A&&...);
    explicit AnonymousObject(std::uint64_t pages) : pages_(pages) {}
    Mutex lock_{"AnonymousObject"};
    std::uint64_t pages_;
    PageTree tree_;  // physical addresses; one reference each
};

}  // namespace skep::kernel
