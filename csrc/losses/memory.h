// How large gradients are written: past the caches, into large pages.
#pragma once

#include <cstdint>

#if defined(__SSE2__)
#include <immintrin.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "losses/losses.h"

namespace gantk::losses {

constexpr int64_t kCacheLine = 64;

// From here on a gradient does not wait in the caches for who reads it next.
constexpr int64_t kStreamedBytes = 32 << 20;

inline int64_t size_of(Type type) {
    constexpr int64_t sizes[] = {4, 8, 2, 2};
    return sizes[static_cast<int>(type)];
}

// Elements from `start` on to the next cache line's first; as many as a line has if this is one.
inline int64_t until_aligned(const Output& output, int64_t start) {
    const int64_t size = size_of(output.type);
    const auto address = static_cast<int64_t>(reinterpret_cast<uintptr_t>(output.data)) + start * size;
    return (kCacheLine - address % kCacheLine) / size;
}

inline bool aligned(const Output& output, int64_t start) {
    const auto address = reinterpret_cast<uintptr_t>(output.data) + static_cast<uintptr_t>(start * size_of(output.type));
    return address % kCacheLine == 0;
}

// Whether to write an output past the caches. Fresh memory of that size comes page by page as it is touched, and
// 2 MiB pages take a fraction of the time of 4 KiB ones: the kernel is asked for them.
inline bool prepare(const Output& output, int64_t count) {
    const int64_t bytes = count * size_of(output.type);
    if (!output.data || bytes < kStreamedBytes) return false;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    constexpr uintptr_t kPage = 4096;
    const auto first = (reinterpret_cast<uintptr_t>(output.data) + kPage - 1) / kPage * kPage;
    const auto last = (reinterpret_cast<uintptr_t>(output.data) + static_cast<uintptr_t>(bytes)) / kPage * kPage;
    madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);  // a wish: an error changes nothing
#endif
    return true;
}

// Makes streamed stores visible to other threads before what follows.
inline void fence() {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

}  // namespace gantk::losses
