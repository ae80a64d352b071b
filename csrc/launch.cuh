// All access of the .cu files to the CUDA runtime: launches, errors, devices, dynamic shared memory. The tests replace the
// runtime with an emulation on the CPU (tests/csrc/emulator), which does not support the <<<>>> syntax.
#pragma once
#include <cuda_runtime.h>

#include <cstddef>
#include <stdexcept>
#include <string>

namespace gantk::cuda {

inline void check(cudaError_t error, const char* what) {
    if (error == cudaSuccess) return;
    (void)cudaGetLastError();  // clear the error, so that the next call does not report it again
    throw std::runtime_error(std::string("CUDA: ") + what + ": " + cudaGetErrorString(error));
}

// Makes `device` current during its lifetime, and then restores the caller's.
class OnDevice {
public:
    explicit OnDevice(int device) {
        check(cudaGetDevice(&before_), "cudaGetDevice");
        if (device != before_) check(cudaSetDevice(device), "cudaSetDevice");
    }
    ~OnDevice() { (void)cudaSetDevice(before_); }
    OnDevice(const OnDevice&) = delete;
    OnDevice& operator=(const OnDevice&) = delete;

private:
    int before_ = 0;
};

template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t dynamic_bytes,
            cudaStream_t stream, Arguments... arguments) {
    cudaLaunchConfig_t config{};
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = dynamic_bytes;
    config.stream = stream;
    check(cudaLaunchKernelEx(&config, kernel, arguments...), name);
}

// The block's dynamic shared memory, aligned to 128 bytes.
template <class T>
__device__ __forceinline__ T* dynamic_shared() {
#ifdef GANTK_EMULATED
    return static_cast<T*>(gantk::emulator::block().dynamic_shared());
#else
    extern __shared__ __align__(128) unsigned char gantk_dynamic_shared[];
    return reinterpret_cast<T*>(gantk_dynamic_shared);
#endif
}

}  // namespace gantk::cuda
