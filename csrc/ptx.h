// Inline PTX, one function per instruction, each with a version for the tests' emulation on the CPU (tests/csrc/emulator).
// Needs sm_80. Layouts: PTX ISA, "Matrix Fragments for mma.m16n8k32" and "ldmatrix".
#pragma once
#include <cuda_runtime.h>

#include <cstdint>

namespace gantk::cuda {

// Copies 16 bytes from global to shared memory asynchronously, or writes 16 zeros if `inside` is false. Both addresses are
// multiples of 16; `from` is not read unless `inside` is true.
__device__ __forceinline__ void copy_async_16(void* to, const void* from, bool inside) {
#ifdef GANTK_EMULATED
    const gantk::emulator::Copy copy{to, from, 16, inside ? 16u : 0u};
    if ((reinterpret_cast<std::uintptr_t>(to) | reinterpret_cast<std::uintptr_t>(from)) % 16 != 0) std::abort();
    if (gantk::emulator::block().early_copies())
        gantk::emulator::perform(copy);
    else
        gantk::emulator::block().current().open_copies.push_back(copy);
#else
    const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(to));
    const int bytes = inside ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(address), "l"(from), "r"(bytes) : "memory");
#endif
}

// Ends a group of copies of this thread.
__device__ __forceinline__ void commit_copies() {
#ifdef GANTK_EMULATED
    gantk::emulator::Fiber& fiber = gantk::emulator::block().current();
    fiber.committed_copies.push_back(std::move(fiber.open_copies));
    fiber.open_copies.clear();
#else
    asm volatile("cp.async.commit_group;\n" ::: "memory");
#endif
}

// Waits until at most the `groups` most recent groups of this thread are pending.
template <int groups>
__device__ __forceinline__ void wait_copies() {
#ifdef GANTK_EMULATED
    auto& committed = gantk::emulator::block().current().committed_copies;
    while (committed.size() > static_cast<std::size_t>(groups)) {
        for (const gantk::emulator::Copy& copy : committed.front()) gantk::emulator::perform(copy);
        committed.erase(committed.begin());
    }
#else
    asm volatile("cp.async.wait_group %0;\n" ::"n"(groups) : "memory");
#endif
}

// Loads four 8 × 16-byte matrices from shared memory. Lane l gives the address of row l % 8 of matrix l / 8 (a multiple of
// 16); result[m] of lane l is bytes 4 (l % 4) … 4 (l % 4) + 3 of row l / 4 of matrix m.
__device__ __forceinline__ void load_matrices(std::uint32_t (&result)[4], const void* row) {
#ifdef GANTK_EMULATED
    struct Slot {
        const unsigned char* row;
        std::uint32_t* result;
    } slot{static_cast<const unsigned char*>(row), result};
    if (reinterpret_cast<std::uintptr_t>(row) % 16 != 0) std::abort();
    gantk::emulator::warp_operation("ldmatrix", 0xffffffffu, slot, [](Slot** lanes) {
        for (int lane = 0; lane < 32; ++lane)
            for (int matrix = 0; matrix < 4; ++matrix)
                std::memcpy(&lanes[lane]->result[matrix], lanes[matrix * 8 + lane / 4]->row + lane % 4 * 4, 4);
    });
#else
    const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(result[0]), "=r"(result[1]), "=r"(result[2]), "=r"(result[3])
                 : "r"(address)
                 : "memory");
#endif
}

// sum[16 × 8] += a[16 × 32] · b[32 × 8], unsigned bytes, sums modulo 2³². With group = lane / 4 and t = lane % 4, byte i of
// a lane's fragments (16 of a, 8 of b) and its sum i are
//   a: row group + 8 (i / 4 % 2),  column 4 t + i % 4 + 16 (i / 8)
//   b: row 4 t + i % 4 + 16 (i / 4),  column group
//   sum: row group + 8 (i / 2),  column 2 t + i % 2
__device__ __forceinline__ void multiply_add(std::int32_t (&sum)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                                             std::uint32_t b1) {
#ifdef GANTK_EMULATED
    struct Slot {
        std::int32_t* sum;
        unsigned char a[16], b[8];
    } slot{sum, {}, {}};
    std::memcpy(slot.a, a, 16);
    std::memcpy(slot.b, &b0, 4);
    std::memcpy(slot.b + 4, &b1, 4);
    gantk::emulator::warp_operation("mma", 0xffffffffu, slot, [](Slot** lanes) {
        std::uint32_t a[16][32], b[8][32];
        for (int lane = 0; lane < 32; ++lane) {
            const int group = lane / 4, t = lane % 4;
            for (int i = 0; i < 16; ++i) a[group + 8 * (i / 4 % 2)][4 * t + i % 4 + 16 * (i / 8)] = lanes[lane]->a[i];
            for (int i = 0; i < 8; ++i) b[group][4 * t + i % 4 + 16 * (i / 4)] = lanes[lane]->b[i];
        }
        for (int lane = 0; lane < 32; ++lane)
            for (int i = 0; i < 4; ++i) {
                const int row = lane / 4 + 8 * (i / 2), column = lane % 4 * 2 + i % 2;
                auto total = static_cast<std::uint32_t>(lanes[lane]->sum[i]);
                for (int k = 0; k < 32; ++k) total += a[row][k] * b[column][k];
                lanes[lane]->sum[i] = static_cast<std::int32_t>(total);
            }
    });
#else
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.u8.u8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};\n"
                 : "+r"(sum[0]), "+r"(sum[1]), "+r"(sum[2]), "+r"(sum[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
}

}  // namespace gantk::cuda
