// The search for Python. Every argument is checked here.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <climits>
#include <optional>
#include <string>

#include "../cpu_features.h"
#include "../tensor.h"
#include "round.h"
#include "search.h"

namespace py = pybind11;

namespace {

using namespace gantk::knn;
using gantk::Number;
using gantk::refuse;
using gantk::Tensor;
using py::handle;

constexpr int kMostRanks = 32;  // MOST_RANKS in gantk/ops/knn/plan.py

const Kernel& kernel() {
    const Kernel* const kernels[] = {portable_kernel, avx2_kernel, avx512vnni_kernel, amx_kernel};
    for (int level = static_cast<int>(gantk::chosen()); level > 0; --level)
        if (kernels[level]) return *kernels[level];
    return *portable_kernel;
}

Poll poll_with(const std::optional<py::function>& progress) {
    return [&progress](double done) {
        const py::gil_scoped_acquire locked;
        if (PyErr_CheckSignals() != 0) throw py::error_already_set();
        if (progress) (*progress)(done);
    };
}

// What a search is given, checked. It outlives the task that is made of it.
class Given {
  public:
    Given(Number number, const handle& references, const handle& queries, int64_t k, int64_t block, int threads,
          int64_t sample, int rank, int64_t capacity, const handle& distances, const handle& indices)
        : references_(points("reference", number, references)), count_(references_.shape()[0]),
          dim_(references_.shape()[1]) {
        const bool own = queries.is_none();
        const Tensor given = own ? references_ : points("x", number, queries);
        queries_ = own ? nullptr : given.data();
        query_count_ = given.shape()[0];
        if (given.shape()[1] != dim_) refuse(given.described() + " has points of other dimensions than the reference");
        if (count_ < 1 || dim_ < 1 || query_count_ < 1) refuse("there are no points");
        if (count_ >= UINT32_MAX || query_count_ >= UINT32_MAX) refuse("there are too many points for 32-bit indices");
        within("k", k, 1, std::min<int64_t>(count_ - own, INT_MAX));
        within("block", block, 0, INT_MAX);
        within("threads", threads, 1, INT_MAX);
        within("rank", rank, 0, kMostRanks);
        within("sample", sample, rank, std::min<int64_t>(count_, INT_MAX));
        within("capacity", capacity, k + 8, INT_MAX);  // compaction frees an eighth
        k_ = static_cast<int>(k), block_ = static_cast<int>(block), threads_ = threads;
        sample_ = static_cast<int>(sample), rank_ = rank, capacity_ = static_cast<int>(capacity);
        distances_ = result<double>("distances", Number::float64, distances);
        if (!indices.is_none()) indices_ = result<int64_t>("indices", Number::int64, indices);
    }

    template <typename T>
    const T* references() const {
        return static_cast<const T*>(references_.data());
    }
    template <typename T>
    const T* queries() const {  // null if they are the references
        return static_cast<const T*>(queries_);
    }
    int64_t count() const { return count_; }
    int64_t dim() const { return dim_; }
    int64_t query_count() const { return query_count_; }
    int threads() const { return threads_; }

    Task task(const uint8_t* references, const uint8_t* queries) const {
        return {references, count_, dim_, queries, query_count_, k_, block_, threads_, sample_, rank_, capacity_};
    }
    void search(const Task& task, const Screen& screen, const Poll& poll) const {
        gantk::knn::search(kernel(), task, screen, poll, distances_, indices_);
    }

  private:
    static Tensor points(const char* name, Number number, const handle& x) {
        Tensor found(name, x);
        found.on(gantk::kCpu).of(number).contiguous();
        if (found.shape().size() != 2) refuse(found.described() + " is not [N, D]");
        return found;
    }
    static void within(const char* name, int64_t number, int64_t least, int64_t most) {
        if (number < least || number > most)
            refuse(std::string(name) + " is " + std::to_string(number) + ", not from " + std::to_string(least) + " to " +
                   std::to_string(most));
    }
    template <typename T>
    T* result(const char* name, Number number, const handle& x) const {
        const Tensor found(name, x);
        return static_cast<T*>(found.on(gantk::kCpu).of(number).shaped({query_count_, k_}).contiguous().data());
    }

    Tensor references_;
    int64_t count_, dim_, query_count_;
    const void* queries_;
    int k_, block_, threads_, sample_, rank_, capacity_;
    double* distances_;
    int64_t* indices_ = nullptr;
};

void search_bytes(const handle& references, const handle& queries, int64_t k, int64_t block, int threads, int64_t sample,
                  int rank, int64_t capacity, const std::optional<py::function>& progress, const handle& distances,
                  const handle& indices) {
    const Given given(Number::uint8, references, queries, k, block, threads, sample, rank, capacity, distances, indices);
    const Task task = given.task(given.references<uint8_t>(), given.queries<uint8_t>());
    const Poll poll = poll_with(progress);
    const py::gil_scoped_release unlocked;
    const Scale scale = scale_of(given.dim());
    if (scale.shift == 0) return given.search(task, Exact(), poll);
    const Shifted screen(task.queries ? task.queries : task.references, task.references, static_cast<size_t>(given.dim()),
                         scale, kernel().direct_u8);
    given.search(task, screen, poll);
}

template <typename T, Number number, typename Rounded<T>::Direct Kernel::*direct>
void search_floats(const handle& references, const handle& queries, int64_t k, int64_t block, int threads,
                   int64_t sample, int rank, int64_t capacity, double margin, double rounding,
                   const std::optional<py::function>& progress, const handle& distances, const handle& indices) {
    const Given given(number, references, queries, k, block, threads, sample, rank, capacity, distances, indices);
    if (!(margin >= 0 && margin < 1 && rounding >= 0 && rounding < 1)) refuse("margins are from 0 to 1");
    const Poll poll = poll_with(progress);
    const py::gil_scoped_release unlocked;
    const T *const from = given.references<T>(), *const to = given.queries<T>() ? given.queries<T>() : from;
    check_values(from, given.count(), given.dim(), threads);
    if (to != from) check_values(to, given.query_count(), given.dim(), threads);
    const Grid grid = grid_for(from, given.count(), given.dim(), threads);
    Rows reference_rows = round_to(grid, from, given.count(), margin, threads);
    Rows query_rows;
    if (given.queries<T>()) query_rows = round_to(grid, to, given.query_count(), margin, threads);
    std::vector<uint32_t> beyond;
    std::vector<uint8_t> marks;
    const double error = common_error(reference_rows.errors, beyond, marks);
    const std::vector<double>& query_errors = given.queries<T>() ? query_rows.errors : reference_rows.errors;
    Rounded<T> screen(to, from, static_cast<size_t>(given.dim()), scale_of(given.dim()), grid.step, query_errors.data(),
                      error, rounding, kernel().*direct);
    screen.unscreened = std::move(beyond);
    screen.outside = std::move(marks);
    const Task task = given.task(reference_rows.bytes.data(), given.queries<T>() ? query_rows.bytes.data() : nullptr);
    given.search(task, screen, poll);
}

}  // namespace

void bind_knn(py::module_& m) {
    m.def("knn_u8", &search_bytes);
    m.def("knn_f32", &search_floats<float, Number::float32, &Kernel::direct_f32>);
    m.def("knn_f64", &search_floats<double, Number::float64, &Kernel::direct_f64>);
}
