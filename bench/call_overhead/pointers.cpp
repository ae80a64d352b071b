// Without torch's headers: pybind11, with pointers passed as integers.
#include <pybind11/pybind11.h>

#include "kernel.h"

namespace py = pybind11;

namespace {

template <typename T>
T* pointer(uintptr_t address) {
    return reinterpret_cast<T*>(address);
}

}  // namespace

PYBIND11_MODULE(pointers, m) {
    m.def("forward",
          [](uintptr_t real, uintptr_t fake, uintptr_t loss, uintptr_t distances, int64_t batch, int64_t size) {
              py::gil_scoped_release release;
              *pointer<float>(loss) =
                  forward(pointer<float>(real), pointer<float>(fake), pointer<float>(distances), batch, size);
          });
    m.def("backward", [](uintptr_t upstream, uintptr_t real, uintptr_t fake, uintptr_t distances, uintptr_t real_gradient,
                         uintptr_t fake_gradient, int64_t batch, int64_t size) {
        py::gil_scoped_release release;
        backward(*pointer<float>(upstream), pointer<float>(real), pointer<float>(fake), pointer<float>(distances),
                 pointer<float>(real_gradient), pointer<float>(fake_gradient), batch, size);
    });
}
