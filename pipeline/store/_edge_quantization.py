"""Quantization: `qdrant_client.models` -> `qdrant_edge`. Codes are pinned in RAM, as on a server."""

import qdrant_edge as edge
from qdrant_client import models

__all__ = ["quantization"]

EdgeQuantization = (
    edge.BinaryQuantizationConfig
    | edge.TurboQuantQuantizationConfig
    | edge.ScalarQuantizationConfig
    | edge.ProductQuantizationConfig
)
_ENCODINGS = {
    None: None,
    models.BinaryQuantizationEncoding.ONE_BIT: edge.BinaryQuantizationEncoding.OneBit,
    models.BinaryQuantizationEncoding.ONE_AND_HALF_BITS: edge.BinaryQuantizationEncoding.OneAndHalfBits,
    models.BinaryQuantizationEncoding.TWO_BITS: edge.BinaryQuantizationEncoding.TwoBits,
}
_QUERY_ENCODINGS = {
    None: None,
    models.BinaryQuantizationQueryEncoding.BINARY: edge.BinaryQuantizationQueryEncoding.Binary,
    models.BinaryQuantizationQueryEncoding.SCALAR4BITS: edge.BinaryQuantizationQueryEncoding.Scalar4Bits,
    models.BinaryQuantizationQueryEncoding.SCALAR8BITS: edge.BinaryQuantizationQueryEncoding.Scalar8Bits,
}
_TURBO_BITS = {
    models.TurboQuantBitSize.BITS1: edge.TurboQuantBitSize.Bits1,
    models.TurboQuantBitSize.BITS1_5: edge.TurboQuantBitSize.Bits1_5,
    models.TurboQuantBitSize.BITS2: edge.TurboQuantBitSize.Bits2,
    models.TurboQuantBitSize.BITS4: edge.TurboQuantBitSize.Bits4,
}
_RATIOS = {
    models.CompressionRatio.X4: edge.CompressionRatio.X4,
    models.CompressionRatio.X8: edge.CompressionRatio.X8,
    models.CompressionRatio.X16: edge.CompressionRatio.X16,
    models.CompressionRatio.X32: edge.CompressionRatio.X32,
    models.CompressionRatio.X64: edge.CompressionRatio.X64,
}


def quantization(wanted: models.QuantizationConfig | None) -> EdgeQuantization | None:
    """Binary, Turbo, scalar or product.

    Raises:
        NotImplementedError: a kind that Simile's configuration cannot ask for.
    """
    pinned = edge.Memory.Pinned
    match wanted:
        case None:
            return None
        case models.BinaryQuantization(binary=binary):
            return edge.BinaryQuantizationConfig(
                encoding=_ENCODINGS[binary.encoding],
                query_encoding=_QUERY_ENCODINGS[binary.query_encoding],
                memory=pinned,
            )
        case models.TurboQuantization(turbo=models.TurboQuantQuantizationConfig(bits=bits)) if bits:
            return edge.TurboQuantQuantizationConfig(bits=_TURBO_BITS[bits], memory=pinned)
        case models.ScalarQuantization(scalar=scalar):
            return edge.ScalarQuantizationConfig(
                edge.ScalarType.Int8, quantile=scalar.quantile, memory=pinned
            )
        case models.ProductQuantization(product=product):
            return edge.ProductQuantizationConfig(_RATIOS[product.compression], memory=pinned)
    raise NotImplementedError(f"the embedded store does not translate {wanted!r}")
