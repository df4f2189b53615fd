// Anthropic's own client.
import Anthropic from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { City, parameters } from "./asked.mjs";

export function anthropic(url) {
  const client = new Anthropic({ baseURL: url, apiKey: "sk-test", maxRetries: 0 });
  async function ask(prompt, isStream, extra = {}) {
    const messages = [{ role: "user", content: prompt }];
    const request = { model: "m", max_tokens: 64, messages, ...extra };
    const reply = isStream
      ? await client.messages.stream(request).finalMessage()
      : await client.messages[extra.output_config ? "parse" : "create"](request);
    const text = reply.content.map((block) => block.text ?? "").join("");
    const calls = reply.content
      .filter((block) => block.type === "tool_use")
      .map((call) => [call.name, call.input]);
    const told = { stop_reason: reply.stop_reason };
    if (reply.stop_details) told["stop_details.explanation"] = reply.stop_details.explanation;
    if (extra.output_config) told.parsed_output = reply.parsed_output;
    return { text, calls, value: reply.parsed_output, told };
  }
  const tool = { name: "weather", input_schema: parameters };
  return {
    "npm anthropic": {
      text: ask,
      tool: (prompt, isStream) => ask(prompt, isStream, { tools: [tool] }),
      json: (prompt, isStream) =>
        ask(prompt, isStream, { output_config: { format: zodOutputFormat(City) } }),
    },
  };
}
