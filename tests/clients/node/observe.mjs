// Runs the npm clients against a proxy and prints what each of them shows, as JSON.
//   node observe.mjs PROXY_URL SITUATIONS
// SITUATIONS is a JSON list of {name, kind: text|tool|json, prompt, isStream}.
import { anthropic } from "./anthropic.mjs";
import { aiSdk } from "./ai_sdk.mjs";
import { openai } from "./openai.mjs";

const [url, situations] = process.argv.slice(2);

function raised(error) {
  const told = {};
  if (error.code) told["code"] = error.code;
  if (error.error?.code && !error.code) told["error.code"] = error.error.code;
  if (error.statusCode) told["statusCode"] = error.statusCode;
  if (error.finishReason) told["finishReason"] = error.finishReason;
  return { raises: error.constructor.name, told };
}

async function observe(client, { kind, prompt, isStream }) {
  try {
    return await client[kind](prompt, isStream);
  } catch (error) {
    return raised(error);
  }
}

const found = {};
for (const [name, client] of Object.entries({ ...openai(url), ...anthropic(url), ...aiSdk(url) })) {
  found[name] = {};
  for (const situation of JSON.parse(situations)) {
    found[name][situation.name] = await observe(client, situation);
  }
}
console.log(JSON.stringify(found));
