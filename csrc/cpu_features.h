// The instruction sets that native code selects from at run time.
#pragma once

namespace gantk {

// Each level includes the ones before it:
//   portable    the architecture's baseline
//   avx2        AVX2, FMA, F16C
//   avx512vnni  AVX-512 F, BW, VL, DQ, VNNI
//   amx         AMX tiles of int8
enum class Level { portable, avx2, avx512vnni, amx };

constexpr int kLevels = 4;

// A level's name, as used by GANTK_CPU and gantk.ops.native.
const char* name(Level level);

// The highest level that the processor, the system and the compiler of this build support.
// The first call requests permission from Linux to use AMX tiles, for the whole process.
Level best();

// The level to use: best(), unless choose() has set a lower one.
Level chosen();

// Sets the level that chosen() returns. Throws std::invalid_argument if it is above best().
void choose(Level level);

}  // namespace gantk
