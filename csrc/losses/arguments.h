// The losses' arguments from Python, checked, for the CPU module and the CUDA module.
#pragma once

#include <pybind11/pybind11.h>

#include <cmath>
#include <cstdint>

#include "losses/losses.h"
#include "tensor.h"

namespace gantk::losses {

using pybind11::handle;

inline Type type_of(const Tensor& x) {
    if (static_cast<int>(x.number()) >= kTypes) refuse(x.described() + " is not float");
    return static_cast<Type>(static_cast<int>(x.number()));
}

inline Number wide(Type of_input) { return of_input == Type::float64 ? Number::float64 : Number::float32; }

inline Pair pair_of(int number, int pairs, const char* what) {
    if (number < 0 || number >= pairs) refuse(std::string("there is no ") + what + " " + std::to_string(number));
    return static_cast<Pair>(number);
}

inline int at_least_one(int threads) {
    if (threads < 1) refuse("threads is " + std::to_string(threads) + ", and at least 1 is needed");
    return threads;
}

// Two tensors that are compared element by element. They outlive what is returned.
class Compare {
  public:
    Compare(int device, const char* name_a, const handle& a, const char* name_b, const handle& b)
        : a_(name_a, a), b_(name_b, b) {
        a_.on(device).of_dense_rows();
        b_.on(device).laid_out_as(a_);
        same_width(type_of(a_), b_);
    }

    static void same_width(Type type, const Tensor& other) {
        if ((type == Type::float64) != (type_of(other) == Type::float64))
            refuse(other.described() + " is float64 while another is not, or the other way round");
    }

    const Tensor& a() const { return a_; }
    Type type() const { return type_of(a_); }
    int64_t rows() const { return a_.shape()[0]; }
    int64_t columns() const { return a_.count() / rows(); }

    Matrices matrices() const {
        return {{a_.data(), type_of(a_)}, {b_.data(), type_of(b_)}, rows(), columns()};
    }

    // Where the gradients are written; None for one that is not requested.
    Gradients gradients(int device, const handle& of_a, const handle& of_b) const {
        return {output(device, a_, of_a), output(device, b_, of_b)};
    }

  private:
    static Output output(int device, const Tensor& like, const handle& x) {
        Output found{nullptr, type_of(like)};
        if_given("a gradient", x, [&](const Tensor& gradient) {
            found.data = gradient.on(device).of(like.number()).laid_out_as(like).data();
        });
        return found;
    }

    Tensor a_, b_;
};

// A single number, as wide as the results for inputs of this type.
inline void* scalar(int device, const char* name, const handle& x, Type of_input) {
    return Tensor(name, x).on(device).of(wide(of_input)).shaped({}).data();
}

inline void* norms_of(int device, const handle& x, const Compare& compare) {
    return Tensor("norms", x).on(device).of(wide(compare.type())).shaped({compare.rows()}).contiguous().data();
}

// The two terms of the bound of a variational autoencoder.
class Bound {
  public:
    Bound(int device, int pair, const handle& images, const handle& target, const handle& mean,
          const handle& log_variance, double beta)
        : pair_(pair_of(pair, 3, "distance")), beta_(beta),
          images_(device, "images", images, "target", target),
          codes_(device, "mean", mean, "log_variance", log_variance) {
        if (!std::isfinite(beta)) refuse("beta is not finite");
        Compare::same_width(images_.type(), codes_.a());
    }

    Type type() const { return images_.type(); }
    const Compare& images() const { return images_; }
    const Compare& codes() const { return codes_; }
    Term reconstruction() const { return {pair_, images_.matrices(), 1 / static_cast<double>(images_.rows())}; }
    Term divergence() const { return {Pair::divergence, codes_.matrices(), beta_ / static_cast<double>(codes_.rows())}; }

  private:
    Pair pair_;
    double beta_;
    Compare images_, codes_;
};

}  // namespace gantk::losses
