// Converts the losses' arguments from Python, for the CPU module and the CUDA module.
#pragma once

#include <cstdint>
#include <stdexcept>

#include "losses/losses.h"

namespace gantk::losses {

// Python passes a tensor as (data_ptr, type), and (0, …) for none.
using Pointer = uintptr_t;

inline Input input(Pointer data, int type) { return {reinterpret_cast<const void*>(data), static_cast<Type>(type)}; }

inline Output output(Pointer data, int type) { return {reinterpret_cast<void*>(data), static_cast<Type>(type)}; }

inline void* at(Pointer data) { return reinterpret_cast<void*>(data); }

inline Term reconstruction(int pair, Pointer images, int images_type, Pointer target, int target_type, int64_t batch,
                    int64_t size) {
    return {static_cast<Pair>(pair), {input(images, images_type), input(target, target_type), batch, size},
            1 / static_cast<double>(batch)};
}

inline Term divergence(Pointer mean, int mean_type, Pointer log_variance, int log_variance_type, int64_t batch, int64_t size,
                double beta) {
    return {Pair::divergence, {input(mean, mean_type), input(log_variance, log_variance_type), batch, size},
            beta / static_cast<double>(batch)};
}

}  // namespace gantk::losses
