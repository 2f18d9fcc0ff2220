// The root domain's second-level tables: every physical address maps to itself with all rights, in
// the largest pages, hv's range left out.
#pragma once

#include "hv/lib/result.hpp"
#include "hv/memory/address.hpp"

namespace skep::hv {

void identity_map_build();
Hpa identity_map_root();

// Takes frames out of it, for an isolated VM, and puts them in again. Both are multiples of 2 MiB.
// Denied: it has not all of them. Translations of old live on until root_domain_drop_translations.
Status identity_map_withdraw(Hpa base, u64 size);
void identity_map_give_back(Hpa base, u64 size);

}  // namespace skep::hv
