// The activation kernels of an instruction set, for the ops that end with one.
#pragma once

#include "activation.hpp"
#include "select.hpp"

namespace f2i::cpu {

template <class T> const ActivationKernels<T> &activations_of(f2i_isa isa);
template <> inline const ActivationKernels<float> &activations_of(f2i_isa isa) { return F2I_SELECT(activation_f32, isa); }
template <> inline const ActivationKernels<double> &activations_of(f2i_isa isa) { return F2I_SELECT(activation_f64, isa); }

} // namespace f2i::cpu
