// torch's stable ABI. It cannot register derivatives, so the backward is called from Python here too.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <tuple>

#include "kernel.h"

using torch::stable::Tensor;

namespace {

std::tuple<Tensor, Tensor> hidden_loss(const Tensor& real, const Tensor& fake) {
    const int64_t batch = real.size(0);
    Tensor loss = torch::stable::new_empty(real, {});
    Tensor distances = torch::stable::new_empty(real, {batch});
    *loss.mutable_data_ptr<float>() =
        forward(real.const_data_ptr<float>(), fake.const_data_ptr<float>(), distances.mutable_data_ptr<float>(), batch,
                real.numel() / batch);
    return {loss, distances};
}

std::tuple<Tensor, Tensor> hidden_loss_backward(const Tensor& upstream, const Tensor& real, const Tensor& fake,
                                                const Tensor& distances) {
    const int64_t batch = real.size(0);
    Tensor real_gradient = torch::stable::empty_like(real);
    Tensor fake_gradient = torch::stable::empty_like(fake);
    backward(*upstream.const_data_ptr<float>(), real.const_data_ptr<float>(), fake.const_data_ptr<float>(),
             distances.const_data_ptr<float>(), real_gradient.mutable_data_ptr<float>(),
             fake_gradient.mutable_data_ptr<float>(), batch, real.numel() / batch);
    return {real_gradient, fake_gradient};
}

}  // namespace

STABLE_TORCH_LIBRARY(NAMESPACE, m) {
    m.def("hidden_loss(Tensor real, Tensor fake) -> (Tensor, Tensor)");
    m.def("hidden_loss_backward(Tensor upstream, Tensor real, Tensor fake, Tensor distances) -> (Tensor, Tensor)");
}

STABLE_TORCH_LIBRARY_IMPL(NAMESPACE, CPU, m) {
    m.impl("hidden_loss", TORCH_BOX(&hidden_loss));
    m.impl("hidden_loss_backward", TORCH_BOX(&hidden_loss_backward));
}
