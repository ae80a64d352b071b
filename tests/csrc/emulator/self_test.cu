// Kernels that try the emulation itself: what they should give is known without it.
#include <pybind11/pybind11.h>

#include "launch.cuh"
#include "ptx.h"

namespace py = pybind11;
using namespace gantk::cuda;

namespace {

// Sums of blocks by shuffles within warps and shared memory between them; the last warp may be short.
__global__ void block_sums(const float* in, float* out, int count) {
    __shared__ __align__(16) float partial[32];
    const int index = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    float value = index < count ? in[index] : 0.0f;
    for (int step = 16; step > 0; step /= 2) value += __shfl_down_sync(0xffffffffu, value, step);
    if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
    __syncthreads();
    if (threadIdx.x >= 32) return;
    value = threadIdx.x < (blockDim.x + 31) / 32 ? partial[threadIdx.x] : 0.0f;
    for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
    if (threadIdx.x == 0) out[blockIdx.x] = value;
}

// Every thread reads what its neighbor wrote, with the barrier left out: what comes depends on the threads' order.
__global__ void racing(int* out) {
    int* const shared = dynamic_shared<int>();
    shared[threadIdx.x] = static_cast<int>(threadIdx.x);
    out[threadIdx.x] = shared[(threadIdx.x + 1) % blockDim.x];
}

__global__ void waiting_forever() {
    if (threadIdx.x == 0) __shfl_sync(0xffffffffu, 0, 0);
    else __syncthreads();
}

__global__ void scattered_halves(const unsigned* in, unsigned* out) {
    const unsigned lane = threadIdx.x;
    const unsigned mask = lane < 16 ? 0x0000ffffu : 0xffff0000u;
    const unsigned votes = __ballot_sync(mask, in[lane] & 1u);
    out[lane] = votes + (lane < 16 ? __shfl_sync(mask, in[lane], 3, 16) : __shfl_up_sync(mask, in[lane], 2, 16));
}

// One mma on fragments that come in and go out as the caller laid them out: a [32][16], b [32][8], sums [32][4].
__global__ void one_product(const unsigned char* a, const unsigned char* b, std::int32_t* sums) {
    const unsigned lane = threadIdx.x;
    std::uint32_t left[4], right[2];
    std::int32_t sum[4];
    for (int i = 0; i < 16; ++i) reinterpret_cast<unsigned char*>(left)[i] = a[lane * 16 + i];
    for (int i = 0; i < 8; ++i) reinterpret_cast<unsigned char*>(right)[i] = b[lane * 8 + i];
    for (int i = 0; i < 4; ++i) sum[i] = sums[lane * 4 + i];
    multiply_add(sum, left, right[0], right[1]);
    for (int i = 0; i < 4; ++i) sums[lane * 4 + i] = sum[i];
}

// Without the wait, what is read is not yet there.
__global__ void copied(const unsigned char* in, unsigned char* out, bool wait) {
    unsigned char* const shared = dynamic_shared<unsigned char>();
    copy_async_16(shared + threadIdx.x * 16, in + threadIdx.x * 16, threadIdx.x % 2 == 0);
    commit_copies();
    if (wait) wait_copies<0>();
    __syncthreads();
    for (int i = 0; i < 16; ++i) out[threadIdx.x * 16 + i] = shared[threadIdx.x * 16 + i];
}

template <class T>
T* at(std::uintptr_t address) {
    return reinterpret_cast<T*>(address);
}

}  // namespace

void bind_self_test(py::module_& m) {
    m.def("block_sums", [](std::uintptr_t in, std::uintptr_t out, int count, unsigned threads) {
        const unsigned blocks = (static_cast<unsigned>(count) + threads - 1) / threads;
        launch("block_sums", block_sums, dim3(blocks), dim3(threads), 0, nullptr, at<const float>(in), at<float>(out), count);
    });
    m.def("racing", [](std::uintptr_t out, unsigned threads) {
        launch("racing", racing, dim3(1), dim3(threads), threads * sizeof(int), nullptr, at<int>(out));
    });
    m.def("waiting_forever", [] { launch("waiting_forever", waiting_forever, dim3(1), dim3(32), 0, nullptr); });
    m.def("scattered_halves", [](std::uintptr_t in, std::uintptr_t out) {
        launch("scattered_halves", scattered_halves, dim3(1), dim3(32), 0, nullptr, at<const unsigned>(in), at<unsigned>(out));
    });
    m.def("one_product", [](std::uintptr_t a, std::uintptr_t b, std::uintptr_t sums) {
        launch("one_product", one_product, dim3(1), dim3(32), 0, nullptr, at<const unsigned char>(a), at<const unsigned char>(b),
               at<std::int32_t>(sums));
    });
    m.def("copied", [](std::uintptr_t in, std::uintptr_t out, bool wait) {
        launch("copied", copied, dim3(1), dim3(8), 128, nullptr, at<const unsigned char>(in), at<unsigned char>(out), wait);
    });
}
