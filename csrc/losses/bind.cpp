#include <pybind11/pybind11.h>

#include "losses/arguments.h"

namespace py = pybind11;
using namespace gantk::losses;

void bind_losses(py::module_& m) {
    m.def(
        "norm_loss_forward",
        [](int threads, int pair, Pointer a, int a_type, Pointer b, int b_type, int64_t rows, int64_t columns,
           Pointer norms, Pointer loss) {
            const py::gil_scoped_release released;
            norm_forward(threads, static_cast<Pair>(pair), {input(a, a_type), input(b, b_type), rows, columns},
                         at(norms), at(loss));
        });
    m.def(
        "norm_loss_forward_with_gradients",
        [](int threads, int pair, Pointer a, int a_type, Pointer b, int b_type, int64_t rows, int64_t columns,
           Pointer norms, Pointer loss, Pointer of_a, Pointer of_b) {
            const py::gil_scoped_release released;
            norm_forward_with_gradients(threads, static_cast<Pair>(pair),
                                        {input(a, a_type), input(b, b_type), rows, columns}, at(norms), at(loss),
                                        {output(of_a, a_type), output(of_b, b_type)});
        });
    m.def("scale_gradient",
          [](int threads, Pointer gradient, int type, int64_t count, double factor, Pointer opposite) {
              const py::gil_scoped_release released;
              scale_gradient(threads, output(gradient, type), count, factor, output(opposite, type));
          });
    m.def(
        "norm_loss_backward",
        [](int threads, int pair, Pointer a, int a_type, Pointer b, int b_type, int64_t rows, int64_t columns,
           Pointer norms, Pointer grad, Pointer of_a, Pointer of_b) {
            const py::gil_scoped_release released;
            norm_backward(threads, static_cast<Pair>(pair), {input(a, a_type), input(b, b_type), rows, columns},
                          at(norms), at(grad), output(of_a, a_type), output(of_b, b_type));
        });
    m.def(
        "vae_loss_forward",
        [](int threads, int pair, Pointer images, int images_type, Pointer target, int target_type, int64_t batch,
           int64_t size, Pointer mean, int mean_type, Pointer log_variance, int log_variance_type, int64_t codes,
           int64_t dim, double beta, Pointer loss) {
            const py::gil_scoped_release released;
            two_terms_forward(
                threads, reconstruction(pair, images, images_type, target, target_type, batch, size),
                divergence(mean, mean_type, log_variance, log_variance_type, codes, dim, beta), at(loss));
        });
    m.def(
        "vae_loss_backward",
        [](int threads, int pair, Pointer images, int images_type, Pointer target, int target_type, int64_t batch,
           int64_t size, Pointer mean, int mean_type, Pointer log_variance, int log_variance_type, int64_t codes,
           int64_t dim, double beta, Pointer grad, Pointer of_images, Pointer of_target, Pointer of_mean,
           Pointer of_log_variance) {
            const py::gil_scoped_release released;
            two_terms_backward(
                threads, reconstruction(pair, images, images_type, target, target_type, batch, size),
                divergence(mean, mean_type, log_variance, log_variance_type, codes, dim, beta), at(grad),
                {output(of_images, images_type), output(of_target, target_type)},
                {output(of_mean, mean_type), output(of_log_variance, log_variance_type)});
        });
}
