#include "cpu_features.h"

#include <atomic>
#include <stdexcept>
#include <string>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace gantk {
namespace {

#if defined(__x86_64__)

struct Registers {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(unsigned leaf) {
    Registers r;
    __get_cpuid_count(leaf, 0, &r.eax, &r.ebx, &r.ecx, &r.edx);
    return r;
}

// The registers that the system saves on a thread switch. XGETBV is an illegal instruction unless OSXSAVE is set.
unsigned saved_registers() {
    unsigned low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

bool all(unsigned value, unsigned bits) { return (value & bits) == bits; }

bool tiles_permitted() {
#if defined(__linux__)
    constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM, Linux 5.16 on
    constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
    return false;
#endif
}

Level detect() {
    constexpr unsigned kFma = 1u << 12, kOsxsave = 1u << 27, kF16c = 1u << 29;                   // leaf 1, ecx
    constexpr unsigned kAvx2 = 1u << 5, kF = 1u << 16, kDq = 1u << 17, kBw = 1u << 30, kVl = 1u << 31;  // leaf 7, ebx
    constexpr unsigned kVnni = 1u << 11;                                                         // leaf 7, ecx
    constexpr unsigned kTile = 1u << 24, kInt8 = 1u << 25;                                       // leaf 7, edx
    constexpr unsigned kYmm = 0x6, kZmm = 0xe6, kTiles = 0x60000;                                // saved registers

    const Registers one = cpuid(1), seven = cpuid(7);
    if (!all(one.ecx, kFma | kOsxsave | kF16c)) return Level::portable;
    const unsigned saved = saved_registers();
    if (!all(saved, kYmm) || !all(seven.ebx, kAvx2)) return Level::portable;
    if (!all(saved, kZmm) || !all(seven.ebx, kF | kDq | kBw | kVl) || !all(seven.ecx, kVnni)) return Level::avx2;
    if (!all(saved, kTiles) || !all(seven.edx, kTile | kInt8) || !tiles_permitted()) return Level::avx512vnni;
    return Level::amx;
}

#else

Level detect() { return Level::portable; }

#endif

constexpr Level compiled() {
#if defined(GANTK_HAS_AMX)
    return Level::amx;
#elif defined(GANTK_HAS_AVX512VNNI)
    return Level::avx512vnni;
#elif defined(GANTK_HAS_AVX2)
    return Level::avx2;
#else
    return Level::portable;
#endif
}

std::atomic<Level>& choice() {
    static std::atomic<Level> level{best()};
    return level;
}

}  // namespace

const char* name(Level level) {
    static const char* const names[kLevels] = {"portable", "avx2", "avx512vnni", "amx"};
    return names[static_cast<int>(level)];
}

Level best() {
    static const Level level = [] {
        const Level machine = detect();
        return machine < compiled() ? machine : compiled();
    }();
    return level;
}

Level chosen() { return choice().load(std::memory_order_relaxed); }

void choose(Level level) {
    if (level > best()) throw std::invalid_argument(std::string(name(level)) + " is above " + name(best()));
    choice().store(level, std::memory_order_relaxed);
}

}  // namespace gantk
