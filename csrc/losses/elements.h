// What lies in memory, and what is computed with: float32 for halves too. As vectors.h: nothing shared.
#pragma once

#include "losses/halves.h"
#include "losses/vectors.h"

namespace gantk::losses {
namespace {

// Asks for what a sum reads 2 KiB on: the processor itself stops at the end of each page of 4 KiB. It took 10 % off
// sums of float32 that lie in no cache of a core, and up to 20 % off those of halves.
template <typename Stored>
GANTK_INLINE void prefetch(const Stored* from, int count) {
    constexpr int kAhead = 2048, kLine = 64;
    const char* const place = reinterpret_cast<const char*>(from) + kAhead;
    for (int i = 0; i < count * static_cast<int>(sizeof(Stored)); i += kLine) __builtin_prefetch(place + i);
}

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
