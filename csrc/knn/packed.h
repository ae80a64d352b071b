// Points in the layout that a kernel multiplies.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "candidates.h"
#include "kernels.h"
#include "search.h"

namespace gantk::knn {

struct Free {
    void operator()(void* memory) const { std::free(memory); }
};
template <typename T>
using Aligned = std::unique_ptr<T[], Free>;

template <typename T>
Aligned<T> aligned(size_t count) {
    void* memory = nullptr;
    if (posix_memalign(&memory, 64, count * sizeof(T) + 4096) != 0) throw std::bad_alloc();
    return Aligned<T>(static_cast<T*>(memory));
}

// How points are divided: into slices of `depth` bytes along their dimensions, and into blocks of whole panels.
struct Cut {
    int depth, slices, shift, block;
    size_t padded() const { return static_cast<size_t>(depth) * slices; }
};

// Gathers points into zero-padded rows and packs them with one of the kernel's functions.
class Packer {
  public:
    using Pack = void (*)(const uint8_t*, size_t, int, uint8_t*);
    Packer(const Cut& cut, int points, Pack pack)
        : cut_(cut), points_(points), pack_(pack), rows_(aligned<uint8_t>(cut.padded() * points)) {}

    // Packs a panel of points from `position` on; slice s is written to out + s * slice_stride.
    void operator()(const Points& from, int64_t position, uint8_t* out, size_t slice_stride) {
        for (int i = 0; i < points_; ++i) {
            uint8_t* const row = rows_.get() + cut_.padded() * i;
            const size_t size = position + i < from.count ? static_cast<size_t>(from.dim) : 0;
            if (size) std::memcpy(row, from.row(position + i), size);
            std::memset(row + size, 0, cut_.padded() - size);
        }
        for (int slice = 0; slice < cut_.slices; ++slice)
            pack_(rows_.get() + static_cast<size_t>(slice) * cut_.depth, cut_.padded(), cut_.depth,
                  out + slice * slice_stride);
    }

  private:
    Cut cut_;
    int points_;
    Pack pack_;
    Aligned<uint8_t> rows_;
};

// |x|² of each position, shifted, and half of it; padded with zeros to whole blocks.
struct Norms {
    std::vector<int32_t> norm, half;
    Norms(const Points& points, const Cut& cut, int threads);
};

inline int64_t blocks_of(int64_t count, int block) { return (count + block - 1) / block; }

}  // namespace gantk::knn
