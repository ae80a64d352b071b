#if defined(GANTK_HAS_AVX512VNNI)  // otherwise this file is compiled without the flags
#include "losses/loops.h"

namespace gantk::losses {

const Kernels kAvx512 = kernels();

}  // namespace gantk::losses
#endif
