// What the clients ask for beside text.
import { z } from "zod";

export const City = z.object({ name: z.string() });
export const Place = z.object({ city: z.string() });
export const parameters = { type: "object", properties: { city: { type: "string" } } };
