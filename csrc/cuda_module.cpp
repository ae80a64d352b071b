// gantk.ops._native_cuda: the kernels for NVIDIA GPUs. It can be imported without a GPU or driver: the CUDA runtime is linked
// statically and looks for the driver at the first call.
#include <pybind11/pybind11.h>

void bind_knn_cuda(pybind11::module_& m);
void bind_losses_cuda(pybind11::module_& m);

PYBIND11_MODULE(_native_cuda, m) {
    m.doc() = "gantk's kernels for CUDA. Every argument is checked.";
    bind_knn_cuda(m);
    bind_losses_cuda(m);
}
