// What ACPI's interpreter tells a guest of the board: the PCI bus with its windows and interrupts, the
// serial port, the clock, power off. The same for every guest. Addresses are those of boot/memory_map.hpp
// and of the devices' bus adapters.
DefinitionBlock ("", "DSDT", 2, "SKEP", "SKEPDSDT", 1)
{
    Scope (\_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A03"))
            Name (_UID, Zero)
            Name (_BBN, Zero)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0, 0, 0, 1)
                IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                        0, 0x0000, 0x0CF7, 0, 0x0CF8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                        0, 0x0D00, 0xFFFF, 0, 0xF300)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                             0, 0xC0000000, 0xFEBFFFFF, 0, 0x3EC00000)
            })
            // Every device uses INTA only; even slots lead to interrupt 10, odd ones to 11, in PIC and
            // I/O APIC mode alike.
            Name (_PRT, Package ()
            {
                Package () {0x0001FFFF, Zero, Zero, 11},
                Package () {0x0002FFFF, Zero, Zero, 10},
                Package () {0x0003FFFF, Zero, Zero, 11},
                Package () {0x0004FFFF, Zero, Zero, 10},
                Package () {0x0005FFFF, Zero, Zero, 11},
                Package () {0x0006FFFF, Zero, Zero, 10},
                Package () {0x0007FFFF, Zero, Zero, 11},
                Package () {0x0008FFFF, Zero, Zero, 10},
                Package () {0x0009FFFF, Zero, Zero, 11},
                Package () {0x000AFFFF, Zero, Zero, 10},
                Package () {0x000BFFFF, Zero, Zero, 11},
                Package () {0x000CFFFF, Zero, Zero, 10},
                Package () {0x000DFFFF, Zero, Zero, 11},
                Package () {0x000EFFFF, Zero, Zero, 10},
                Package () {0x000FFFFF, Zero, Zero, 11},
                Package () {0x0010FFFF, Zero, Zero, 10},
                Package () {0x0011FFFF, Zero, Zero, 11},
                Package () {0x0012FFFF, Zero, Zero, 10},
                Package () {0x0013FFFF, Zero, Zero, 11},
                Package () {0x0014FFFF, Zero, Zero, 10},
                Package () {0x0015FFFF, Zero, Zero, 11},
                Package () {0x0016FFFF, Zero, Zero, 10},
                Package () {0x0017FFFF, Zero, Zero, 11},
                Package () {0x0018FFFF, Zero, Zero, 10},
                Package () {0x0019FFFF, Zero, Zero, 11},
                Package () {0x001AFFFF, Zero, Zero, 10},
                Package () {0x001BFFFF, Zero, Zero, 11},
                Package () {0x001CFFFF, Zero, Zero, 10},
                Package () {0x001DFFFF, Zero, Zero, 11},
                Package () {0x001EFFFF, Zero, Zero, 10},
                Package () {0x001FFFFF, Zero, Zero, 11}
            })
            Device (ISA)
            {
                Name (_ADR, 0x00010000)
                Device (COM1)
                {
                    Name (_HID, EisaId ("PNP0501"))
                    Name (_UID, One)
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x03F8, 0x03F8, 1, 8)
                        IRQNoFlags () {4}
                    })
                }
                Device (RTC)
                {
                    Name (_HID, EisaId ("PNP0B00"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x0070, 0x0070, 1, 2)
                        IRQNoFlags () {8}
                    })
                }
            }
        }
    }
    Name (\_S5, Package () {Zero, Zero, Zero, Zero})
}
