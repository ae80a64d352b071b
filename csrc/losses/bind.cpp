// The losses for Python. Every argument is checked here, by losses/arguments.h.
#include <pybind11/pybind11.h>

#include "losses/arguments.h"

namespace py = pybind11;
using namespace gantk::losses;

namespace {

using gantk::kCpu;

void norm_loss_forward(int threads, int pair, const handle& a, const handle& b, const handle& norms,
                       const handle& loss) {
    const Pair norm = pair_of(pair, 2, "norm");
    const Compare compare(kCpu, "a", a, "b", b);
    void *const to_norms = norms_of(kCpu, norms, compare), *const to_loss = scalar(kCpu, "loss", loss, compare.type());
    at_least_one(threads);
    const py::gil_scoped_release released;
    norm_forward(threads, norm, compare.matrices(), to_norms, to_loss);
}

void norm_loss_forward_with_gradients(int threads, int pair, const handle& a, const handle& b, const handle& norms,
                                      const handle& loss, const handle& of_a, const handle& of_b) {
    const Pair norm = pair_of(pair, 2, "norm");
    const Compare compare(kCpu, "a", a, "b", b);
    void *const to_norms = norms_of(kCpu, norms, compare), *const to_loss = scalar(kCpu, "loss", loss, compare.type());
    const Gradients of = compare.gradients(kCpu, of_a, of_b);
    at_least_one(threads);
    const py::gil_scoped_release released;
    norm_forward_with_gradients(threads, norm, compare.matrices(), to_norms, to_loss, of);
}

void norm_loss_backward(int threads, int pair, const handle& a, const handle& b, const handle& norms,
                        const handle& grad, const handle& of_a, const handle& of_b) {
    const Pair norm = pair_of(pair, 2, "norm");
    const Compare compare(kCpu, "a", a, "b", b);
    const void* const from_norms = norms_of(kCpu, norms, compare);
    const void* const from_grad = scalar(kCpu, "grad", grad, compare.type());
    const Gradients of = compare.gradients(kCpu, of_a, of_b);
    at_least_one(threads);
    const py::gil_scoped_release released;
    norm_backward(threads, norm, compare.matrices(), from_norms, from_grad, of.of_a, of.of_b);
}

void scale_gradient_of(int threads, const handle& gradient, double factor, const handle& opposite) {
    const Compare one(kCpu, "gradient", gradient, "gradient", gradient);
    if (one.type() != Type::float32 && one.type() != Type::float64)
        gantk::refuse(one.a().described() + " is not float32 or float64");
    const Output other = one.gradients(kCpu, opposite, py::none()).of_a;
    at_least_one(threads);
    const py::gil_scoped_release released;
    scale_gradient(threads, {one.a().data(), one.type()}, one.a().count(), factor, other);
}

void vae_loss_forward(int threads, int pair, const handle& images, const handle& target, const handle& mean,
                      const handle& log_variance, double beta, const handle& loss) {
    const Bound bound(kCpu, pair, images, target, mean, log_variance, beta);
    void* const to_loss = scalar(kCpu, "loss", loss, bound.type());
    at_least_one(threads);
    const py::gil_scoped_release released;
    two_terms_forward(threads, bound.reconstruction(), bound.divergence(), to_loss);
}

void vae_loss_backward(int threads, int pair, const handle& images, const handle& target, const handle& mean,
                       const handle& log_variance, double beta, const handle& grad, const handle& of_images,
                       const handle& of_target, const handle& of_mean, const handle& of_log_variance) {
    const Bound bound(kCpu, pair, images, target, mean, log_variance, beta);
    const void* const from_grad = scalar(kCpu, "grad", grad, bound.type());
    const Gradients first = bound.images().gradients(kCpu, of_images, of_target);
    const Gradients second = bound.codes().gradients(kCpu, of_mean, of_log_variance);
    at_least_one(threads);
    const py::gil_scoped_release released;
    two_terms_backward(threads, bound.reconstruction(), bound.divergence(), from_grad, first, second);
}

}  // namespace

void bind_losses(py::module_& m) {
    m.def("norm_loss_forward", &norm_loss_forward);
    m.def("norm_loss_forward_with_gradients", &norm_loss_forward_with_gradients);
    m.def("norm_loss_backward", &norm_loss_backward);
    m.def("scale_gradient", &scale_gradient_of);
    m.def("vae_loss_forward", &vae_loss_forward);
    m.def("vae_loss_backward", &vae_loss_backward);
}
