#if defined(GANTK_HAS_AVX512VNNI)  // else this is compiled without its flags
#include "losses/loops.h"

namespace gantk::losses {

const Kernels kAvx512 = kernels();

}  // namespace gantk::losses
#endif
