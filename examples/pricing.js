// A declarative server: the host speaks MCP, the tools only compute.
//
//     cordon run examples/pricing.js --tool double_price '{"price":45}'

const rates = { basic: 0.2, reduced: 0.1, none: 0 };

const inCents = (amount) => Math.round(amount * 100);

export default {
  name: 'pricing',
  version: '1.0.0',
  title: 'Prices',
  instructions: 'Amounts are in one currency, with at most two decimals.',

  tools: {
    double_price: {
      description: 'Doubles a price.',
      inputSchema: {
        type: 'object',
        properties: { price: { type: 'number', minimum: 0 } },
        required: ['price'],
        additionalProperties: false,
      },
      outputSchema: {
        type: 'object',
        properties: { doublePrice: { type: 'number' } },
        required: ['doublePrice'],
      },
      annotations: { readOnlyHint: true, idempotentHint: true },
      run: ({ price }) => ({ doublePrice: price * 2 }),
    },

    invoice_total: {
      description: 'Adds up invoice lines, with tax.',
      inputSchema: {
        type: 'object',
        properties: {
          lines: {
            type: 'array',
            items: {
              type: 'object',
              properties: {
                price: { type: 'number', minimum: 0 },
                quantity: { type: 'integer', minimum: 1 },
                rate: { enum: Object.keys(rates) },
              },
              required: ['price', 'quantity'],
            },
          },
        },
        required: ['lines'],
      },
      annotations: { readOnlyHint: true, idempotentHint: true },
      async run({ lines }) {
        let net = 0;
        let tax = 0;
        for (const { price, quantity, rate = 'basic' } of lines) {
          const sum = inCents(price) * quantity;
          net += sum;
          tax += Math.round(sum * rates[rate]);
        }
        console.info(`${lines.length} lines`);
        return { net: net / 100, tax: tax / 100, total: (net + tax) / 100 };
      },
    },
  },
};
