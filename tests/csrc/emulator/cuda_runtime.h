// Stands in for <cuda_runtime.h>: lets g++ compile a .cu file as C++ and run its kernels on the CPU (see fibers.h).
//
//   g++ -x c++ -std=c++20 -O1 -Wall -Wextra -Werror -Wno-unknown-pragmas -DGANTK_EMULATED
//       -I tests/csrc/emulator -I csrc  csrc/knn/knn.cu ...
//
// From a test: tests/ops/emulated.py, build(folder, "bind_knn_cuda", "….cu", "….cpp") gives the Python module that the
// binding function fills, to be called with the data_ptr() of CPU tensors, device 0 and stream 0.
//
// What a .cu file has to keep to: launch kernels with gantk::cuda::launch() and take dynamic shared memory from
// gantk::cuda::dynamic_shared() (csrc/launch.cuh), keep inline PTX in csrc/ptx.h beside an emulated twin, use
// `__shared__ __align__(16) float name[…]` for static shared memory. Pointers are the CPU's, streams and devices are ignored,
// every launch has ended when it returns. Not there: cooperative groups, textures, clusters, several blocks at one time.
#pragma once
#include <bit>
#include <cmath>
#include <cstddef>

#include "fibers.h"

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __shared__ static
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

inline constexpr int warpSize = 32;

using std::max;
using std::min;

// --- vector types
struct __align__(8) int2 { int x, y; };
struct __align__(8) uint2 { unsigned x, y; };
struct __align__(8) float2 { float x, y; };
struct __align__(16) int4 { int x, y, z, w; };
struct __align__(16) uint4 { unsigned x, y, z, w; };
struct __align__(16) float4 { float x, y, z, w; };
struct __align__(16) double2 { double x, y; };
inline int2 make_int2(int x, int y) { return {x, y}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline double2 make_double2(double x, double y) { return {x, y}; }

// --- barriers and fences
inline void __syncthreads() { gantk::emulator::block().synchronise(); }
inline void __threadfence() {}
inline void __threadfence_block() {}

// --- warp-wide operations
namespace gantk::emulator {
template <class T>
struct Exchange {
    T value;
    int from;
    T result;
};

template <class T>
T exchange(const char* name, unsigned mask, T value, int from) {
    Exchange<T> slot{value, from, value};
    warp_operation(name, mask, slot, [](Exchange<T>** slots) {
        for (unsigned lane = 0; lane < lanes; ++lane)
            if (slots[lane] != nullptr && slots[slots[lane]->from] != nullptr) slots[lane]->result = slots[slots[lane]->from]->value;
    });
    return slot.result;
}
}  // namespace gantk::emulator

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
    const int lane = static_cast<int>(gantk::emulator::block().lane());
    return gantk::emulator::exchange("shfl", mask, value, (lane & ~(width - 1)) + (source & (width - 1)));
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    const int lane = static_cast<int>(gantk::emulator::block().lane()), from = lane - static_cast<int>(delta);
    return gantk::emulator::exchange("shfl_up", mask, value, from < (lane & ~(width - 1)) ? lane : from);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    const int lane = static_cast<int>(gantk::emulator::block().lane()), from = lane + static_cast<int>(delta);
    return gantk::emulator::exchange("shfl_down", mask, value, from > (lane | (width - 1)) ? lane : from);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32) {
    const int lane = static_cast<int>(gantk::emulator::block().lane()), from = lane ^ bits;
    return gantk::emulator::exchange("shfl_xor", mask, value, from > (lane | (width - 1)) ? lane : from);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
    gantk::emulator::Exchange<unsigned> slot{predicate != 0, 0, 0};
    gantk::emulator::warp_operation("ballot", mask, slot, [](gantk::emulator::Exchange<unsigned>** slots) {
        unsigned votes = 0;
        for (unsigned lane = 0; lane < 32; ++lane)
            if (slots[lane] != nullptr) votes |= slots[lane]->value << lane;
        for (unsigned lane = 0; lane < 32; ++lane)
            if (slots[lane] != nullptr) slots[lane]->result = votes;
    });
    return slot.result;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate == 0) == 0; }
inline void __syncwarp(unsigned mask = 0xffffffffu) { (void)__ballot_sync(mask, 0); }
inline unsigned __activemask() { return gantk::emulator::block().live_lanes(); }

// --- atomics: one fiber runs at a time
template <class T>
T atomicAdd(T* address, std::type_identity_t<T> value) { T old = *address; *address = static_cast<T>(old + value); return old; }
template <class T>
T atomicMax(T* address, std::type_identity_t<T> value) { T old = *address; *address = std::max(old, value); return old; }
template <class T>
T atomicMin(T* address, std::type_identity_t<T> value) { T old = *address; *address = std::min(old, value); return old; }
template <class T>
T atomicExch(T* address, std::type_identity_t<T> value) { T old = *address; *address = value; return old; }
template <class T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
    T old = *address;
    if (old == expected) *address = value;
    return old;
}
inline unsigned atomicInc(unsigned* address, unsigned limit) { unsigned old = *address; *address = old >= limit ? 0 : old + 1; return old; }

// --- arithmetic
template <class T>
T __ldg(const T* address) { return *address; }
inline int __popc(unsigned value) { return std::popcount(value); }
inline int __clz(int value) { return std::countl_zero(static_cast<unsigned>(value)); }
inline int __ffs(int value) { return value == 0 ? 0 : std::countr_zero(static_cast<unsigned>(value)) + 1; }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }

// --- the part of the runtime's interface that launchers use
using cudaStream_t = void*;
enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount = 16 };
struct cudaLaunchAttribute {};
struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    std::size_t dynamicSmemBytes = 0;
    cudaStream_t stream = nullptr;
    cudaLaunchAttribute* attrs = nullptr;
    unsigned numAttrs = 0;
};
inline const char* cudaGetErrorString(cudaError_t error) { return error == cudaSuccess ? "no error" : "invalid value"; }
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaGetDevice(int* device) { *device = 0; return cudaSuccess; }
inline cudaError_t cudaSetDevice(int) { return cudaSuccess; }
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) { *value = 4; return cudaSuccess; }
template <class Kernel>
cudaError_t cudaFuncSetAttribute(Kernel*, cudaFuncAttribute, int) { return cudaSuccess; }
template <class Kernel>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Kernel*, int, std::size_t) { *blocks = 1; return cudaSuccess; }
inline cudaError_t cudaMemsetAsync(void* address, int value, std::size_t bytes, cudaStream_t = nullptr) {
    std::memset(address, value, bytes);
    return cudaSuccess;
}
template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...), Arguments&&... arguments) {
    gantk::emulator::block().launch(config->gridDim, config->blockDim, config->dynamicSmemBytes, [&] { kernel(arguments...); });
    return cudaSuccess;
}
