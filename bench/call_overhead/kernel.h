// The hidden loss on one thread, called in both ways.
#pragma once

#include <cmath>
#include <cstdint>

// distances[i] = |real[i] - fake[i]| over `size` values, and their mean.
inline float forward(const float* real, const float* fake, float* distances, int64_t batch, int64_t size) {
    constexpr int64_t kLanes = 32;
    double total = 0;
    for (int64_t i = 0; i < batch; ++i, real += size, fake += size) {
        float lanes[kLanes] = {};
        int64_t j = 0;
        for (; j + kLanes <= size; j += kLanes)
            for (int64_t lane = 0; lane < kLanes; ++lane) {
                const float d = real[j + lane] - fake[j + lane];
                lanes[lane] += d * d;
            }
        float sum = 0;
        for (; j < size; ++j) sum += (real[j] - fake[j]) * (real[j] - fake[j]);
        for (float lane : lanes) sum += lane;
        distances[i] = std::sqrt(sum);
        total += distances[i];
    }
    return static_cast<float>(total / static_cast<double>(batch));
}

// The gradients of both, for the mean's gradient `upstream`.
inline void backward(float upstream, const float* real, const float* fake, const float* distances, float* real_gradient,
                     float* fake_gradient, int64_t batch, int64_t size) {
    for (int64_t i = 0; i < batch; ++i) {
        const float scale = distances[i] > 0 ? upstream / (distances[i] * static_cast<float>(batch)) : 0;
        for (int64_t j = i * size; j < (i + 1) * size; ++j) {
            real_gradient[j] = scale * (real[j] - fake[j]);
            fake_gradient[j] = -real_gradient[j];
        }
    }
}
