// Memory for large gradients.
#pragma once

#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "losses/losses.h"

namespace gantk::losses {

inline int64_t bytes_of(Type type) {
    constexpr int64_t kSizes[kTypes] = {4, 8, 2, 2};
    return kSizes[static_cast<int>(type)];
}

// From this size on, glibc's allocator always takes fresh memory from the system.
constexpr int64_t kFreshBytes = 32 << 20;

// Page faults on fresh memory take longer than computing the gradient; with pages of 2 MiB there are far fewer than with 4 KiB.
// (Non-temporal stores gain nothing more, since the system has just zeroed these pages.)
inline void ask_for_large_pages(const Output& output, int64_t count) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    constexpr uintptr_t kPage = 4096;
    const int64_t bytes = count * bytes_of(output.type);
    if (!output.data || bytes < kFreshBytes) return;
    const auto first = (reinterpret_cast<uintptr_t>(output.data) + kPage - 1) / kPage * kPage;
    const auto last = (reinterpret_cast<uintptr_t>(output.data) + static_cast<uintptr_t>(bytes)) / kPage * kPage;
    madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);  // only a hint: errors do not matter
#else
    (void)output;
    (void)count;
#endif
}

}  // namespace gantk::losses
