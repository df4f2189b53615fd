// OpenAI's own client: chat completions and responses.
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { City, parameters } from "./asked.mjs";

export function openai(url) {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "sk-test", maxRetries: 0 });
  return { "npm openai chat": chat(client), "npm openai responses": responses(client) };
}

function chat(client) {
  async function ask(prompt, isStream, extra = {}) {
    const request = { model: "m", messages: [{ role: "user", content: prompt }], ...extra };
    const reply = isStream
      ? await client.chat.completions.stream(request).finalChatCompletion()
      : await client.chat.completions[extra.response_format ? "parse" : "create"](request);
    const { message, finish_reason } = reply.choices[0];
    const calls = (message.tool_calls ?? []).map(({ function: called }) => [
      called.name,
      JSON.parse(called.arguments),
    ]);
    return { text: message.content ?? "", calls, value: message.parsed, told: { finish_reason } };
  }
  const tool = { type: "function", function: { name: "weather", parameters } };
  return {
    text: ask,
    tool: (prompt, isStream) => ask(prompt, isStream, { tools: [tool] }),
    json: (prompt, isStream) => ask(prompt, isStream, { response_format: zodResponseFormat(City, "City") }),
  };
}

function responses(client) {
  async function ask(prompt, isStream, extra = {}) {
    const request = { model: "m", input: prompt, ...extra };
    const reply = isStream
      ? await client.responses.stream(request).finalResponse()
      : await client.responses[extra.text ? "parse" : "create"](request);
    const told = {};
    if (reply.incomplete_details) told["incomplete_details.reason"] = reply.incomplete_details.reason;
    if (extra.text) told.output_parsed = reply.output_parsed;
    const calls = reply.output
      .filter((item) => item.type === "function_call")
      .map((call) => [call.name, JSON.parse(call.arguments)]);
    return { text: reply.output_text, calls, value: reply.output_parsed, told };
  }
  const tool = { type: "function", name: "weather", parameters, strict: false };
  return {
    text: ask,
    tool: (prompt, isStream) => ask(prompt, isStream, { tools: [tool] }),
    json: (prompt, isStream) => ask(prompt, isStream, { text: { format: zodTextFormat(City, "City") } }),
  };
}
