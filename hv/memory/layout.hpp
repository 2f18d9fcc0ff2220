// Where hv is: linked at physical 32 MiB, all of it (image, stacks, first pool) below 40 MiB. The
// image is seen at kImageOffset + physical, every other address that hv may touch at kDirectMap +
// physical, the pool's frames among them.
#pragma once

#include "hv/lib/types.hpp"
#include "hv/memory/address.hpp"

namespace skep::hv {

inline constexpr u64 kImageOffset = 0xffff'ffff'8000'0000;
inline constexpr u64 kDirectMap = 0xffff'8000'0000'0000;

// The frames that the root domain never sees.
inline constexpr Hpa kHvBase{32 << 20};
inline constexpr u64 kHvSize = 8 << 20;
inline constexpr u64 kImageSize = 2 << 20;
// Kept free of modules by a segment without content: the control kernel is linked here.
inline constexpr Hpa kKernelSlotBase{16 << 20};
inline constexpr u64 kKernelSlotSize = 16 << 20;

inline u64 image_start() {
    return kImageOffset + kHvBase.value;
}
inline u64 image_end() {
    return image_start() + kImageSize;
}

template <class T = u8>
T* direct(Hpa address) {
    return reinterpret_cast<T*>(kDirectMap + address.value);
}

// Of an object in the image or in the direct map.
inline Hpa physical(const volatile void* object) {
    const u64 address = reinterpret_cast<u64>(object);
    return {address >= kImageOffset ? address - kImageOffset : address - kDirectMap};
}

}  // namespace skep::hv
