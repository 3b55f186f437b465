/** What kernels may assume of the device. Tests lower them to force every tiling path on small shapes. */
export interface KernelLimits {
  /** Largest window of a buffer that one binding may show, in bytes. */
  readonly maxBindingBytes: number;
  /** Largest buffer, in bytes. */
  readonly maxBufferBytes: number;
  /** Largest number of workgroups in each dimension of a dispatch. */
  readonly maxWorkgroups: number;
  /** Work that one dispatch may do: it cannot be interrupted, and browsers kill a device that hangs for seconds. */
  readonly maxDispatchFlops: number;
  /** Where workgroup memory and barriers cost more than they save (a device in software), kernels avoid them. */
  readonly avoidBarriers: boolean;
}

/** Bindings start at multiples of this; windows grow by up to as much. */
export const BINDING_ALIGNMENT = 256;

export function limitsOf(device: GPUDevice, software: boolean): KernelLimits {
  return {
    maxBindingBytes: device.limits.maxStorageBufferBindingSize,
    maxBufferBytes: device.limits.maxBufferSize,
    maxWorkgroups: device.limits.maxComputeWorkgroupsPerDimension,
    maxDispatchFlops: software ? 5e7 : 1.6e10,
    avoidBarriers: software,
  };
}
