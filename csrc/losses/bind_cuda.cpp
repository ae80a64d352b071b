#include <pybind11/pybind11.h>

#include "losses/arguments.h"
#include "losses/losses_cuda.h"

namespace py = pybind11;
namespace cuda = gantk::cuda;
using namespace gantk::losses;

namespace {

cuda::Queue queue(int device, Pointer stream, Pointer room) { return {device, stream, static_cast<double*>(at(room))}; }

}  // namespace

void bind_losses_cuda(py::module_& m) {
    m.attr("loss_span") = cuda::kLossSpan;
    m.def(
        "norm_loss_forward",
        [](int device, Pointer stream, Pointer room, int pair, Pointer a, int a_type, Pointer b, int b_type,
           int64_t rows, int64_t columns, Pointer norms, Pointer loss) {
            const py::gil_scoped_release released;
            const Matrices matrices{input(a, a_type), input(b, b_type), rows, columns};
            cuda::norm_forward(queue(device, stream, room), static_cast<Pair>(pair), matrices, at(norms), at(loss));
        });
    m.def(
        "norm_loss_backward",
        [](int device, Pointer stream, Pointer room, int pair, Pointer a, int a_type, Pointer b, int b_type,
           int64_t rows, int64_t columns, Pointer norms, Pointer grad, Pointer of_a, Pointer of_b) {
            const py::gil_scoped_release released;
            const Matrices matrices{input(a, a_type), input(b, b_type), rows, columns};
            cuda::norm_backward(queue(device, stream, room), static_cast<Pair>(pair), matrices, at(norms), at(grad),
                                output(of_a, a_type), output(of_b, b_type));
        });
    m.def(
        "vae_loss_forward",
        [](int device, Pointer stream, Pointer room, int pair, Pointer images, int images_type, Pointer target,
           int target_type, int64_t batch, int64_t size, Pointer mean, int mean_type, Pointer log_variance,
           int log_variance_type, int64_t codes, int64_t dim, double beta, Pointer loss) {
            const py::gil_scoped_release released;
            cuda::two_terms_forward(
                queue(device, stream, room),
                reconstruction(pair, images, images_type, target, target_type, batch, size),
                divergence(mean, mean_type, log_variance, log_variance_type, codes, dim, beta), at(loss));
        });
    m.def(
        "vae_loss_backward",
        [](int device, Pointer stream, Pointer room, int pair, Pointer images, int images_type, Pointer target,
           int target_type, int64_t batch, int64_t size, Pointer mean, int mean_type, Pointer log_variance,
           int log_variance_type, int64_t codes, int64_t dim, double beta, Pointer grad, Pointer of_images,
           Pointer of_target, Pointer of_mean, Pointer of_log_variance) {
            const py::gil_scoped_release released;
            cuda::two_terms_backward(
                queue(device, stream, room),
                reconstruction(pair, images, images_type, target, target_type, batch, size),
                divergence(mean, mean_type, log_variance, log_variance_type, codes, dim, beta), at(grad),
                {output(of_images, images_type), output(of_target, target_type)},
                {output(of_mean, mean_type), output(of_log_variance, log_variance_type)});
        });
}
