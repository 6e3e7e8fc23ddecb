"""HTTP manners: problem details, parameters, links, content negotiation, encodings."""
