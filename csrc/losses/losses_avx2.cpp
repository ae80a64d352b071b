#if defined(GANTK_HAS_AVX2)  // else this is compiled without its flags
#include "losses/loops.h"

namespace gantk::losses {

const Kernels kAvx2 = kernels();

}  // namespace gantk::losses
#endif
