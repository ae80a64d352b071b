// The losses on a GPU for Python. Every argument is checked here, by losses/arguments.h; device −1 is the CPU, where tests
// emulate a GPU.
#include <pybind11/pybind11.h>

#include "losses/arguments.h"
#include "losses/losses_cuda.h"

namespace py = pybind11;
namespace cuda = gantk::cuda;
using namespace gantk::losses;

namespace {

using Stream = std::uintptr_t;

int64_t spans(int64_t rows, int64_t columns) {
    return rows * std::max<int64_t>(1, (columns + cuda::kLossSpan - 1) / cuda::kLossSpan);
}

cuda::Queue queue(int device, Stream stream, const handle& room, int64_t needed) {
    const gantk::Tensor numbers("room", room);
    numbers.on(device).of(gantk::Number::float64).contiguous();
    if (numbers.count() < needed) gantk::refuse(numbers.described() + " is too small");
    return {device, stream, static_cast<double*>(numbers.data())};
}

void norm_loss_forward(int device, Stream stream, const handle& room, int pair, const handle& a, const handle& b,
                       const handle& norms, const handle& loss) {
    const Pair norm = pair_of(pair, 2, "norm");
    const Compare compare(device, "a", a, "b", b);
    void* const to_norms = norms_of(device, norms, compare);
    void* const to_loss = scalar(device, "loss", loss, compare.type());
    const auto on = queue(device, stream, room, spans(compare.rows(), compare.columns()));
    const py::gil_scoped_release released;
    cuda::norm_forward(on, norm, compare.matrices(), to_norms, to_loss);
}

void norm_loss_backward(int device, Stream stream, const handle& room, int pair, const handle& a, const handle& b,
                        const handle& norms, const handle& grad, const handle& of_a, const handle& of_b) {
    const Pair norm = pair_of(pair, 2, "norm");
    const Compare compare(device, "a", a, "b", b);
    const void* const from_norms = norms_of(device, norms, compare);
    const void* const from_grad = scalar(device, "grad", grad, compare.type());
    const Gradients of = compare.gradients(device, of_a, of_b);
    const auto on = queue(device, stream, room, 0);
    const py::gil_scoped_release released;
    cuda::norm_backward(on, norm, compare.matrices(), from_norms, from_grad, of.of_a, of.of_b);
}

void vae_loss_forward(int device, Stream stream, const handle& room, int pair, const handle& images,
                      const handle& target, const handle& mean, const handle& log_variance, double beta,
                      const handle& loss) {
    const Bound bound(device, pair, images, target, mean, log_variance, beta);
    void* const to_loss = scalar(device, "loss", loss, bound.type());
    const auto on = queue(device, stream, room,
                          spans(1, bound.images().a().count()) + spans(1, bound.codes().a().count()));
    const py::gil_scoped_release released;
    cuda::two_terms_forward(on, bound.reconstruction(), bound.divergence(), to_loss);
}

void vae_loss_backward(int device, Stream stream, const handle& room, int pair, const handle& images,
                       const handle& target, const handle& mean, const handle& log_variance, double beta,
                       const handle& grad, const handle& of_images, const handle& of_target, const handle& of_mean,
                       const handle& of_log_variance) {
    const Bound bound(device, pair, images, target, mean, log_variance, beta);
    const void* const from_grad = scalar(device, "grad", grad, bound.type());
    const Gradients first = bound.images().gradients(device, of_images, of_target);
    const Gradients second = bound.codes().gradients(device, of_mean, of_log_variance);
    const auto on = queue(device, stream, room, 0);
    const py::gil_scoped_release released;
    cuda::two_terms_backward(on, bound.reconstruction(), bound.divergence(), from_grad, first, second);
}

}  // namespace

void bind_losses_cuda(py::module_& m) {
    m.attr("loss_span") = cuda::kLossSpan;
    m.def("norm_loss_forward", &norm_loss_forward);
    m.def("norm_loss_backward", &norm_loss_backward);
    m.def("vae_loss_forward", &vae_loss_forward);
    m.def("vae_loss_backward", &vae_loss_backward);
}
