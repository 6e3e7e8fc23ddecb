"""Web Map Service 1.3.0 (OGC 06-042): what its requests mean and how they are answered; routes are in `ogc.wms`."""
