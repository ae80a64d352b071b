// What lies in memory, and what is computed with: float32 for halves too. As vectors.h: nothing shared.
#pragma once

#include "losses/halves.h"
#include "losses/vectors.h"

namespace gantk::losses {
namespace {

template <typename Scalar>
struct Plain {
    using Stored = Scalar;
    using Number = Scalar;
    static GANTK_INLINE Vector<Scalar> read(const Scalar* from) { return load<Vector<Scalar>>(from); }
    static GANTK_INLINE void write(Scalar* to, Vector<Scalar> x) { store(to, x); }
};

// Straight from memory to float32's registers: a buffer between them takes longer than the arithmetic.
template <typename Half>
struct Short {
    using Stored = uint16_t;
    using Number = float;
    static GANTK_INLINE Floats read(const uint16_t* from) { return Half::widen(load<Halves>(from)); }
    static GANTK_INLINE void write(uint16_t* to, Floats x) { store(to, Half::narrow(x)); }
};

}  // namespace
}  // namespace gantk::losses
