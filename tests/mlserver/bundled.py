"""The bundled classifier as an MLServer model, for tests with a real server."""

import io
from typing import Any

import numpy as np
import torch
from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from PIL import Image

from dptools.classifiers import load


class Bundled(MLModel):  # type: ignore[misc]
    """Accepts FP32 with channels first, UINT8 with channels last, or image files as BYTES."""

    async def load(self) -> bool:
        self.classifier = load("efficientnet-lite0", device="cpu")
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        tensor = payload.inputs[0]
        with torch.no_grad():
            scores = self.classifier(self._images(tensor)).numpy()
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("scores", scores)])

    def _images(self, tensor: Any) -> torch.Tensor:
        if tensor.datatype == "BYTES":
            (file,) = Base64Codec.decode_input(tensor)
            return self.classifier.tensor(np.asarray(Image.open(io.BytesIO(file)).convert("RGB")))
        values = torch.from_numpy(NumpyCodec.decode_input(tensor))
        return values.permute(0, 3, 1, 2) / 255 if tensor.datatype == "UINT8" else values.float()
