// The official npm client against a server that listens: prints what it found as JSON.
import OpenAI from "openai";

const [address, key] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: key, maxRetries: 0 });
const model = "ipse";
const messages = [{ role: "user", content: "Which argument about browsers is better? Say why." }];
const found = {};

const whole = await client.chat.completions.create({ model, messages });
found.whole = whole.choices[0].message.content;

const stream = await client.chat.completions.create({
  model, messages, stream: true, stream_options: { include_usage: true },
});
found.pieces = "";
for await (const chunk of stream) {
  found.pieces += chunk.choices[0]?.delta?.content ?? "";
  found.tokens = chunk.usage?.total_tokens;
}

const helper = client.chat.completions.stream({ model, messages });
found.helper = (await helper.finalChatCompletion()).choices[0].message.content;

const completion = await client.completions.create({ model, prompt: "One" });
found.completion = completion.choices[0].text;
const completed = await client.completions.create({ model, prompt: "One", stream: true });
found.completed = "";
for await (const chunk of completed) found.completed += chunk.choices[0]?.text ?? "";

const vectors = await client.embeddings.create({ model, input: ["tea", "coffee"] });
found.vectors = vectors.data.map((one) => one.embedding.length);
found.models = [];
for await (const one of client.models.list()) found.models.push(one.id);
found.model = (await client.models.retrieve(model)).id;

async function failing(call) {
  try {
    await call();
  } catch (error) {
    return [error.constructor.name, error.status, error.code];
  }
  return "no error";
}
const stranger = new OpenAI({ baseURL: `${address}/v1`, apiKey: "none", maxRetries: 0 });
found.errors = [
  await failing(() => stranger.models.list()),
  await failing(() => client.chat.completions.create({ model, messages, user: "bob" })),
  await failing(() => client.models.retrieve("nothing")),
  await failing(() => client.chat.completions.create({ model, messages: [] })),
];
process.stdout.write(JSON.stringify(found));
