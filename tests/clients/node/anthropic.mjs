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
    return { text, calls, value: reply.parsed_output, told: { stop_reason: reply.stop_reason } };
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
