#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/resource_commands.hpp"

#include "skep/api/v1/vm_service.pb.h"

namespace skep::mgmt::cli {

using namespace skep::api::v1;

void add_vm_get(Parent& vm, Context& context) {
    add_showing<GetVmRequest, GetVmResponse, &GetVmResponse::vm>(vm, context, "get",
                                                                 "all about a VM");
}

}  // namespace skep::mgmt::cli
