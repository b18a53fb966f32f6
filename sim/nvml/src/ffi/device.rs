//! Who a GPU is.

use std::ffi::{c_char, c_int, c_uint};

use nvml_wrapper_sys::bindings as nvml;
use nvml_wrapper_sys::bindings::{
    nvmlBrandType_t, nvmlDevice_st, nvmlDevice_t, nvmlDeviceArchitecture_t, nvmlEnableState_t, nvmlPciInfo_t,
};

use super::edge::{Ptr, put_text};
use super::export;
use super::handles::index_of;
use super::refusal::Refusal;
use super::session::{on_gpu, set_on_gpu};

export! {
    /// Product name.
    fn nvmlDeviceGetName(device: nvmlDevice_t, name: *mut c_char, length: c_uint) {
        let text = on_gpu(&device, |gpu| Ok(gpu.name()))?;
        // SAFETY: the caller's own buffer and length.
        unsafe { put_text(&name, length, &text) }
    }

    /// UUID, which stays with the board.
    fn nvmlDeviceGetUUID(device: nvmlDevice_t, uuid: *mut c_char, length: c_uint) {
        let text = on_gpu(&device, |gpu| Ok(gpu.uuid()))?;
        // SAFETY: the caller's own buffer and length.
        unsafe { put_text(&uuid, length, &text) }
    }

    /// Board serial number.
    fn nvmlDeviceGetSerial(device: nvmlDevice_t, serial: *mut c_char, length: c_uint) {
        let text = on_gpu(&device, |gpu| Ok(gpu.serial()))?;
        // SAFETY: the caller's own buffer and length.
        unsafe { put_text(&serial, length, &text) }
    }

    /// Index in NVML's order.
    fn nvmlDeviceGetIndex(device: nvmlDevice_t, index: *mut c_uint) {
        index.put(number_of(&device)?)
    }

    /// N in `/dev/nvidiaN`; here the index.
    fn nvmlDeviceGetMinorNumber(device: nvmlDevice_t, minor: *mut c_uint) {
        minor.put(number_of(&device)?)
    }

    /// Place on the PCI bus.
    fn nvmlDeviceGetPciInfo_v3(device: nvmlDevice_t, pci: *mut nvmlPciInfo_t) {
        let pci_device_id = on_gpu(&device, |gpu| Ok(gpu.rating().pci_device_id))?;
        let place = index_of(&device).and_then(PciAddress::of).ok_or(Refusal::InvalidArgument)?;
        pci.put(place.info(pci_device_id))
    }

    /// Data-centre GPUs since Ampere are just "NVIDIA".
    fn nvmlDeviceGetBrand(device: nvmlDevice_t, brand: *mut nvmlBrandType_t) {
        brand.put(on_gpu(&device, |_| Ok(nvml::nvmlBrandType_enum_NVML_BRAND_NVIDIA))?)
    }

    /// Chip generation.
    fn nvmlDeviceGetArchitecture(device: nvmlDevice_t, architecture: *mut nvmlDeviceArchitecture_t) {
        architecture.put(on_gpu(&device, |gpu| Ok(gpu.rating().architecture))?)
    }

    /// CUDA compute capability.
    fn nvmlDeviceGetCudaComputeCapability(device: nvmlDevice_t, major: *mut c_int, minor: *mut c_int) {
        let capability = on_gpu(&device, |gpu| Ok(gpu.rating().compute_capability))?.cast_signed();
        major.put(capability / 10)?;
        minor.put(capability % 10)
    }

    /// Whether the driver stays loaded without clients.
    fn nvmlDeviceGetPersistenceMode(device: nvmlDevice_t, mode: *mut nvmlEnableState_t) {
        mode.put(on_gpu(&device, |gpu| Ok(u32::from(gpu.request().persistence)))?)
    }

    /// Changes persistence mode.
    fn nvmlDeviceSetPersistenceMode(device: nvmlDevice_t, mode: nvmlEnableState_t) {
        let on = match mode {
            nvml::nvmlEnableState_enum_NVML_FEATURE_DISABLED => false,
            nvml::nvmlEnableState_enum_NVML_FEATURE_ENABLED => true,
            _ => return Err(Refusal::InvalidArgument),
        };
        set_on_gpu(&device, |gpu, _| {
            gpu.request_persistence(on);
            Ok(())
        })
    }
}

fn number_of(device: &Ptr<nvmlDevice_st>) -> Result<c_uint, Refusal> {
    on_gpu(device, |_| Ok(()))?;
    index_of(device).and_then(|index| c_uint::try_from(index).ok()).ok_or(Refusal::InvalidArgument)
}

/// Place on the PCI bus: one GPU a bus, all in domain 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PciAddress {
    bus: u8,
}

impl PciAddress {
    /// Where the GPU at `index` sits.
    pub(super) fn of(index: usize) -> Option<Self> {
        let step = u8::try_from(index).ok()?.checked_mul(0x0E)?;
        Some(Self { bus: step.checked_add(0x18)? })
    }

    /// Reads `domain:bus:device.function`; only domain, device and function zero exist here.
    pub(super) fn parse(bus_id: &str) -> Option<Self> {
        let (domain, rest) = bus_id.split_once(':')?;
        let (bus, device) = rest.split_once(':')?;
        let domain = u32::from_str_radix(domain, 16).ok()?;
        let bus = u8::from_str_radix(bus, 16).ok()?;
        (domain == 0 && device == "00.0").then_some(Self { bus })
    }

    fn info(self, pci_device_id: u32) -> nvmlPciInfo_t {
        nvmlPciInfo_t {
            busIdLegacy: padded(&format!("0000:{:02X}:00.0", self.bus)),
            domain: 0,
            bus: self.bus.into(),
            device: 0,
            pciDeviceId: pci_device_id,
            pciSubSystemId: pci_device_id,
            busId: padded(&format!("00000000:{:02X}:00.0", self.bus)),
        }
    }
}

/// `text` as a C string in an array; what does not fit is cut off.
fn padded<const N: usize>(text: &str) -> [c_char; N] {
    let mut array = [0; N];
    let room = array.iter_mut().take(N.saturating_sub(1));
    room.zip(text.bytes()).for_each(|(cell, byte)| *cell = byte.cast_signed());
    array
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shm::MAX_GPUS;

    #[test]
    fn a_bus_id_leads_back_to_its_gpu() {
        for index in 0..MAX_GPUS {
            let place = PciAddress::of(index).unwrap();
            let info = place.info(1);
            for bus_id in [&info.busId[..], &info.busIdLegacy[..]] {
                let text: String =
                    bus_id.iter().map(|c| char::from(c.cast_unsigned())).take_while(|c| *c != '\0').collect();
                assert_eq!(PciAddress::parse(&text), Some(place), "{text}");
            }
        }
        for nonsense in ["", "0000:18", "0000:zz:00.0", "0001:18:00.0", "0000:18:01.0"] {
            assert_eq!(PciAddress::parse(nonsense), None, "{nonsense:?}");
        }
    }
}
