// The instruction sets that native code chooses between at run time.
#pragma once

namespace gantk {

// Each holds all that the ones before it hold:
//   portable    what every machine of the architecture has
//   avx2        AVX2, FMA, F16C
//   avx512vnni  AVX-512 F, BW, VL, DQ, VNNI
//   amx         AMX tiles of int8
enum class Level { portable, avx2, avx512vnni, amx };

constexpr int kLevels = 4;

// A level's name, as GANTK_CPU and gantk.ops.native write it.
const char* name(Level level);

// The highest level that this machine has, that its system allows, and that the compiler knew.
// The first call asks Linux for the permission to use AMX's tiles, for the whole process.
Level best();

// The level to use: best(), unless choose() has set a lower one.
Level chosen();

// Sets what chosen() answers. Throws std::invalid_argument above best().
void choose(Level level);

}  // namespace gantk
