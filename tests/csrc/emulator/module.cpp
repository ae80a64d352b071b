// A Python module of emulated kernels, -DGANTK_MODULE=<name>: whatever -DGANTK_BIND=<function> binds.
#include <pybind11/pybind11.h>

void GANTK_BIND(pybind11::module_& m);

PYBIND11_MODULE(GANTK_MODULE, m) { GANTK_BIND(m); }
