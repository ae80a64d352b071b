// The adversarial losses, as weights of three sums over logits.
#pragma once

#if defined(__CUDACC__)
#define GANTK_BOTH __host__ __device__
#else
#define GANTK_BOTH
#endif

namespace gantk::losses {

// Of a mean over logits x: softplus × mean softplus(x) + softplus_minus × mean softplus(−x) + plain × mean x.
struct Weights {
    double softplus, softplus_minus, plain;

    GANTK_BOTH constexpr bool bends() const { return softplus != 0 || softplus_minus != 0; }

    // A sum of weight 0 is left out rather than multiplied: it may be infinite.
    GANTK_BOTH constexpr double of(double sum, double sum_minus, double sum_plain) const {
        return (softplus != 0 ? softplus * sum : 0) + (softplus_minus != 0 ? softplus_minus * sum_minus : 0) +
               (plain != 0 ? plain * sum_plain : 0);
    }

    GANTK_BOTH constexpr Weights times(double factor) const {
        return {softplus * factor, softplus_minus * factor, plain * factor};
    }

    GANTK_BOTH constexpr Weights plus(const Weights& other) const {
        return {softplus + other.softplus, softplus_minus + other.softplus_minus, plain + other.plain};
    }
};

// What both players minimise: the discriminator two means, the generator one.
struct Game {
    Weights real_for_discriminator, fake_for_discriminator, fake_for_generator;
};

// In the order of GAMES in gantk/ops/_native_losses.py.
constexpr Game kGames[] = {
    {{0, 1, 0}, {1, 0, 0}, {-1, 0, 0}},  // minimax
    {{0, 1, 0}, {1, 0, 0}, {0, 1, 0}},   // nonsaturating
    {{0, 0, -1}, {0, 0, 1}, {0, 0, -1}}  // wasserstein
};

}  // namespace gantk::losses
