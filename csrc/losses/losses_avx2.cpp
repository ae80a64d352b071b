#if defined(GANTK_HAS_AVX2)  // otherwise this file is compiled without the flags
#include "losses/loops.h"

namespace gantk::losses {

const Kernels kAvx2 = kernels();

}  // namespace gantk::losses
#endif
