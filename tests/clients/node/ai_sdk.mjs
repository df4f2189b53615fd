// Vercel's AI SDK with each of its providers that speaks a format of ours.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, Output, streamText, tool } from "ai";
import { City, Place } from "./asked.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false;

export function aiSdk(url) {
  const at = { baseURL: `${url}/v1`, apiKey: "sk-test" };
  const provider = createOpenAI(at);
  const compatible = createOpenAICompatible({ name: "local", supportsStructuredOutputs: true, ...at });
  return {
    "npm ai openai responses": client(provider("m")),
    "npm ai openai chat": client(provider.chat("m")),
    "npm ai openai-compatible": client(compatible("m")),
    "npm ai anthropic": client(createAnthropic(at)("m")),
  };
}

function client(model) {
  async function ask(prompt, isStream, extra = {}) {
    const request = { model, prompt, maxRetries: 0, maxOutputTokens: 64, ...extra };
    const reply = isStream ? await streamed(request) : await generateText(request);
    const calls = (await reply.toolCalls).map((call) => [call.toolName, call.input]);
    const told = { finishReason: await reply.finishReason };
    const value = extra.output ? await reply.output : null;
    return { text: await reply.text, calls, value, told };
  }
  const weather = tool({ inputSchema: Place });
  return {
    text: ask,
    tool: (prompt, isStream) => ask(prompt, isStream, { tools: { weather } }),
    json: (prompt, isStream) => ask(prompt, isStream, { output: Output.object({ schema: City }) }),
  };
}

// A stream does not throw: what went wrong is a part of it, of the type `error`.
async function streamed(request) {
  const reply = streamText({ ...request, onError: () => {} });
  for await (const part of reply.fullStream) {
    if (part.type === "error") throw part.error;
  }
  return reply;
}
