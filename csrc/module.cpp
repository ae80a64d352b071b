// gantk.ops._native: the CPU kernels, and the choice of instruction set.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "bus_error.h"
#include "cpu_features.h"

namespace py = pybind11;

void bind_knn(py::module_& m);
void bind_losses(py::module_& m);

PYBIND11_MODULE(_native, m) {
    m.doc() = "gantk's kernels for CPUs. Every argument is checked.";
    m.def(
        "instruction_sets",
        [] {
            std::vector<std::string> names;
            for (int i = 0; i <= static_cast<int>(gantk::best()); ++i) names.push_back(name(static_cast<gantk::Level>(i)));
            return names;
        },
        "What both this build and this machine have, the best one last.");
    m.def("chosen", [] { return gantk::name(gantk::chosen()); }, "The instruction set in use.");
    m.def(
        "choose",
        [](const std::string& wanted) {
            for (int i = 0; i < gantk::kLevels; ++i) {
                const auto level = static_cast<gantk::Level>(i);
                if (wanted == gantk::name(level)) return gantk::choose(level);
            }
            throw std::invalid_argument(wanted + " is no instruction set");
        },
        py::arg("name"), "Use this instruction set from now on, in the whole process.");
    m.def("report_bus_errors", &gantk::report_bus_errors, py::arg("before"), py::arg("after"),
          "End the process with these texts, the path between them, where a page of a mapped file cannot be read.");
    bind_knn(m);
    bind_losses(m);
}
