// A tensor as Python gives it, and what is checked of it where it is used. Its attributes are read by name, so that neither
// torch's headers nor its libraries are needed.
#pragma once

#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace gantk {

// The first four are in the order of losses::Type.
enum class Number : int { float32, float64, bfloat16, float16, uint8, int32, int64 };
constexpr int kNumbers = 7;
constexpr const char* kNames[kNumbers] = {"float32", "float64", "bfloat16", "float16", "uint8", "int32", "int64"};

constexpr int kCpu = -1;  // the device number of tensors in the CPU's memory, as in torch

// Throws std::invalid_argument, a ValueError in Python.
[[noreturn]] inline void refuse(const std::string& what) { throw std::invalid_argument(what); }

class Tensor {
  public:
    Tensor(const char* name, const pybind11::handle& x) : name_(name) {
        try {
            read(x);
        } catch (pybind11::error_already_set& error) {
            if (!error.matches(PyExc_AttributeError)) throw;
            refuse(std::string(name) + " is no tensor");
        }
        if (data_ == nullptr && count_ > 0) refuse(described() + " has no memory");
    }

    void* data() const { return data_; }
    Number number() const { return number_; }
    int64_t count() const { return count_; }
    const std::vector<int64_t>& shape() const { return shape_; }

    const Tensor& on(int device) const {
        if (device_ != device || cpu_ != (device == kCpu))
            refuse(described() + " is not on " + (device == kCpu ? "the CPU" : "cuda:" + std::to_string(device)));
        return *this;
    }

    const Tensor& of(Number number) const {
        if (number_ != number) refuse(described() + " is not " + kNames[static_cast<int>(number)]);
        return *this;
    }

    // The last dimension is contiguous, and so on up to the first.
    const Tensor& contiguous() const {
        int64_t expected = 1;
        for (size_t i = shape_.size(); i-- > 0;) {
            if (count_ > 0 && shape_[i] > 1 && strides_[i] != expected) refuse(described() + " is not contiguous");
            expected *= shape_[i];
        }
        return *this;
    }

    const Tensor& shaped(const std::vector<int64_t>& shape) const {
        if (shape_ != shape) refuse(described() + " is not " + in_brackets(shape));
        return *this;
    }

    // The first dimension counts rows, each of which is one piece of memory, and follows on the last; the order of the
    // dimensions within a row does not matter.
    const Tensor& of_dense_rows() const {
        if (shape_.empty() || shape_[0] < 1) refuse(described() + " has no rows");
        if (count_ == 0) return *this;
        std::vector<std::pair<int64_t, int64_t>> steps;
        for (size_t i = 1; i < shape_.size(); ++i)
            if (shape_[i] > 1) steps.emplace_back(strides_[i], shape_[i]);
        std::sort(steps.begin(), steps.end());
        if (shape_[0] > 1) steps.emplace_back(strides_[0], shape_[0]);
        int64_t expected = 1;
        for (const auto& [stride, size] : steps) {
            if (stride != expected) refuse(described() + " is not dense");
            expected *= size;
        }
        return *this;
    }

    // Elements at the same place in memory are those at the same place in the tensors.
    const Tensor& laid_out_as(const Tensor& other) const {
        shaped(other.shape_);
        for (size_t i = 0; count_ > 0 && i < shape_.size(); ++i)
            if (shape_[i] > 1 && strides_[i] != other.strides_[i])
                refuse(described() + " is not in the order of " + other.name_);
        return *this;
    }

    std::string described() const { return std::string(name_) + ", " + kNames[static_cast<int>(number_)] + " " + in_brackets(shape_) + ","; }

  private:
    static std::string in_brackets(const std::vector<int64_t>& shape) {
        std::string text;
        for (const int64_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
        return "[" + text + "]";
    }

    static pybind11::object attribute(const pybind11::handle& x, PyObject* name) {
        PyObject* const found = PyObject_GetAttr(x.ptr(), name);
        if (found == nullptr) throw pybind11::error_already_set();
        return pybind11::reinterpret_steal<pybind11::object>(found);
    }

    static std::vector<int64_t> numbers(const pybind11::object& tuple) {
        if (!PyTuple_Check(tuple.ptr())) refuse("a tensor's shape is no tuple");
        const auto size = static_cast<size_t>(PyTuple_GET_SIZE(tuple.ptr()));
        std::vector<int64_t> found(size);
        for (size_t i = 0; i < size; ++i)
            found[i] = pybind11::cast<int64_t>(PyTuple_GET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i)));
        return found;
    }

    void read(const pybind11::handle& x) {
        static PyObject* const dtype = PyUnicode_InternFromString("dtype");
        static PyObject* const shape = PyUnicode_InternFromString("shape");
        static PyObject* const stride = PyUnicode_InternFromString("stride");
        static PyObject* const data_ptr = PyUnicode_InternFromString("data_ptr");
        static PyObject* const get_device = PyUnicode_InternFromString("get_device");
        static PyObject* const is_cpu = PyUnicode_InternFromString("is_cpu");
        number_ = known(attribute(x, dtype));
        shape_ = numbers(attribute(x, shape));
        strides_ = numbers(attribute(x, stride)());
        if (strides_.size() != shape_.size()) refuse(std::string(name_) + " has as many strides as dimensions");
        for (const int64_t size : shape_) count_ *= size;
        device_ = pybind11::cast<int>(attribute(x, get_device)());
        cpu_ = attribute(x, is_cpu).ptr() == Py_True;
        data_ = reinterpret_cast<void*>(pybind11::cast<uintptr_t>(attribute(x, data_ptr)()));
    }

    // A dtype is one object as long as the process lives. Called with Python's lock held.
    static Number known(const pybind11::object& dtype) {
        static PyObject* seen[kNumbers] = {};
        for (int i = 0; i < kNumbers; ++i)
            if (seen[i] == dtype.ptr()) return static_cast<Number>(i);
        const auto name = pybind11::cast<std::string>(pybind11::str(dtype));
        for (int i = 0; i < kNumbers; ++i)
            if (name == std::string("torch.") + kNames[i]) {
                seen[i] = dtype.inc_ref().ptr();
                return static_cast<Number>(i);
            }
        refuse("a tensor is " + name);
    }

    const char* name_;
    void* data_ = nullptr;
    Number number_ = Number::float32;
    int64_t count_ = 1;
    std::vector<int64_t> shape_, strides_;
    int device_ = kCpu;
    bool cpu_ = false;
};

// None, or a tensor.
template <typename Fn>
void if_given(const char* name, const pybind11::handle& x, const Fn& fn) {
    if (!x.is_none()) fn(Tensor(name, x));
}

}  // namespace gantk
