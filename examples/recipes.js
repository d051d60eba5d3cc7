// A declarative server with all that MCP has: tools that report progress and
// ask the user, a prompt, a resource, a family of resources, completions.
//
//     cordon run examples/recipes.js --tool scale '{"dish":"soup","guests":6}'

const recipes = {
  soup: { serves: 4, minutes: 30, grams: { carrots: 500, onions: 200 } },
  bread: { serves: 8, minutes: 180, grams: { flour: 500, salt: 10 } },
  salad: { serves: 2, minutes: 10, grams: { lettuce: 200, tomatoes: 300 } },
};
const dishes = Object.keys(recipes);

const complete = (value) => dishes.filter((dish) => dish.startsWith(value));

function scaled(dish, guests) {
  const { serves, grams } = recipes[dish];
  return Object.entries(grams).map(([name, amount]) =>
    ({ name, grams: Math.round(amount * guests / serves) }));
}

// Asks the user, where the client can ask one; four is the answer otherwise.
async function askGuests(ctx) {
  if (ctx.can.elicitation === undefined) return 4;
  const answer = await ctx.elicit({
    message: 'For how many guests?',
    requestedSchema: {
      type: 'object',
      properties: { guests: { type: 'integer', minimum: 1, maximum: 50 } },
      required: ['guests'],
    },
  });
  return answer.action === 'accept' ? answer.content.guests : undefined;
}

export default {
  name: 'recipes',
  version: '1.0.0',
  title: 'Recipes',

  tools: {
    scale: {
      description: 'What a dish takes, for so many guests.',
      inputSchema: {
        type: 'object',
        properties: {
          dish: { enum: dishes },
          guests: { type: 'integer', minimum: 1, maximum: 50 },
        },
        required: ['dish', 'guests'],
      },
      annotations: { readOnlyHint: true },
      run: ({ dish, guests }) => ({ ingredients: scaled(dish, guests) }),
    },

    plan_dinner: {
      description: 'A shopping list of several dishes; asks for the guests.',
      inputSchema: {
        type: 'object',
        properties: { dishes: { type: 'array', items: { enum: dishes },
          minItems: 1, uniqueItems: true } },
        required: ['dishes'],
      },
      annotations: { readOnlyHint: true },
      async run({ dishes }, ctx) {
        const guests = await askGuests(ctx);
        if (guests === undefined) return 'There will be no dinner.';
        const list = [];
        for (const [i, dish] of dishes.entries()) {
          ctx.progress(i, dishes.length, dish);
          list.push(...scaled(dish, guests));
        }
        ctx.progress(dishes.length, dishes.length);
        return { guests, list };
      },
    },
  },

  prompts: {
    cook: {
      description: 'How to cook a dish, step by step.',
      arguments: [{ name: 'dish', required: true }],
      complete: { dish: complete },
      get: ({ dish }) => `Explain step by step how to cook ${dish}, with ` +
          `this: ${JSON.stringify(recipes[dish] ?? 'what is in the house')}`,
    },
  },

  resources: {
    'recipes://all': {
      name: 'all',
      description: 'The names of all dishes.',
      mimeType: 'application/json',
      read: () => JSON.stringify(dishes),
    },
  },

  resourceTemplates: {
    'recipes://dish/{dish}': {
      name: 'dish',
      description: 'One recipe.',
      mimeType: 'application/json',
      complete: { dish: complete },
      read(uri, { dish }) {
        if (!Object.hasOwn(recipes, dish)) throw new Error(`no dish ${dish}`);
        return JSON.stringify(recipes[dish]);
      },
    },
  },
};
