"""Printed maps: papers, what stands where on them, and the page that becomes a PDF file. Lengths are millimetres."""
